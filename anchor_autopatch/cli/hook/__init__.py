"""`anchor run | hook | install | uninstall`: capture in this and other interpreters."""
