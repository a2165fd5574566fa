CREATE TABLE `customers` (
  `id` bigint NOT NULL,
  `name` varchar(60) NOT NULL,
  `town` varchar(40) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `k_town` (`town`)
);
