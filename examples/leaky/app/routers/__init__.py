"""One file a group of rules; `clean` has the same jobs done well."""
