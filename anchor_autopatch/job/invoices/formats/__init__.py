"""What several billing sources share in how their files are read: pages, tables, exports, units."""
