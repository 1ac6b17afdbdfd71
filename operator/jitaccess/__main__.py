"""`python -m jitaccess` is the command `jitaccess`."""

from jitaccess.main import main

main()
