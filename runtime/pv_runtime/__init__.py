"""Model formats, quantisation and the checks bound to them."""
