"""What runs at a registry: all of it is pets; the SuperNode's configuration names the site's file."""

from pets.adapters.flower import client_app

app = client_app()
