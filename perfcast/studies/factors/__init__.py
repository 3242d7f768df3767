"""The study of test results: what drives time and memory, which build changed what, and what to test next."""
