"""Pages of the documentation; `docs._site` has what builds and checks them."""
