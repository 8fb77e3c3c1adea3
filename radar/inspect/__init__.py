"""A local page that asks one model about dropped photos, and the same answers for scripts at `POST /predict`."""
