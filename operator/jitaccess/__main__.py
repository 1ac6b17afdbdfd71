"""`python -m jitaccess` is the command `jitaccess`."""

from jitaccess.app.command import main

main()
