"""What is measured, one idea a module; each is a coroutine from a stage and an effort to rows of the table."""
