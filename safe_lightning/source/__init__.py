"""What Lightning would import: discovery and routing, schemas, and readers of CSV, SQL and Parquet files."""
