"""What builds and checks the documentation; none of it is part of the package or the site."""
