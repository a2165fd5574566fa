CREATE TABLE `orders` (
  `id` bigint NOT NULL,
  `number` varchar(16) NOT NULL,
  `customer_id` bigint NOT NULL,
  `cents` int NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uk_number` (`number`)
);
