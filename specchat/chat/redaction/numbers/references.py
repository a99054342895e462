"""Numbers that a record is about and that stay: of orders, parcels, invoices, cases, articles.

A number is one of them when a word before it says so: "tracking number 4417200931", "#1234567890",
"Bestellnr. 1234567890", "the reference you gave me is 1234567890". A new sentence says nothing
about the number that begins it.
"""

from __future__ import annotations

import re

_ENGLISH = (
    r"(?:order|purchase|invoice|bill|receipt|track(?:ing)?|reference|claim|ticket|case|refund"
    r"|parcel|package|shipment|consignment|waybill|awb|transaction|txn|booking|confirmation|return"
    r"|delivery|dispatch)s?|ref\.?|(?:the|this|that) code|customer[ -](?:number|no\.?|id)"
    r"|oid|utr|rma|order[ -]?id|dhl|ups|usps|fedex|dpd|gls|hermes|evri|postnl|royal mail|inpost"
)
_ARTICLE = (
    r"(?:item|product|article|model|serial|part|device|version|firmware|build)s?|sku|ean|gtin|upc"
    r"|isbn|asin|imei|imsi|iccid|s/n|p/n|batch|lot|barcode|artikel|modell|seriennummer|gerät"
    r"|article|produit|modèle|artículo|producto|modelo|produkt|numer seryjny"
)
_GERMAN = (
    r"(?:bestellung|auftrag|rechnung|sendung|paket|vorgang|retoure|lieferschein|referenz)(?:en|s)?"
    r"|(?:bestell|auftrags?|rechnungs?|sendungs?|paket|vorgangs?|kunden|retouren|lieferschein"
    r"|referenz|beleg|fall|artikel|serien|teile|modell|produkt|tracking|rückgabe|buchungs?)"
    r"[ -]?(?:nummern?|nrn?\.?|id|code)"
)
_OTHERS = (
    r"commandes?|factures?|colis|suivi|référence|retour|pedidos?|facturas?|envío|seguimiento"
    r"|referencia|paquete|devolución|bestelling(?:en)?|bestelnummer|factuur|pakket|zending"
    r"|zamówieni[ea]|faktur[ay]|paczk[aię]|przesyłk[ai]|zwrot"
)
_GAP = r"(?::\s*+|[^\w.?!\n:])*"
_GIVEN = (  # "the tracking number you gave me is"
    r"(?:(?:that |which )?(?:i|you|we|they)(?:['’]ve| have| was| were)? "
    r"(?:have|got|gave|sent|given|received)(?: me| us)?)"
)
_BETWEEN = (
    rf"(?:(?:(?:num|nos?|nrn?|ref)\.|\b(?:numbers?|num|nos?|nrn?|id|code|is|was|iz|nummern?|ist|war"
    rf"|lautet|should|be|some|long|says|shows|reads|ref|bearing|the|with|numéro|número|numer"
    rf"|est|es|nummer|{_GIVEN})\b){_GAP})*"
)
_LONG, _SHORT = r"\d(?:-?\d){7,24}", r"\d(?:-?\d){2,24}"
_SEVERAL = (  # "order numbers 1234567890, 1234567891 and 1234567892"
    r"\b(?:(?:order|tracking|reference|parcel|invoice|ticket) numbers|orders|invoices|parcels"
    r"|packages|shipments|tickets|bestellungen|rechnungen|sendungen|pakete|bestellnummern)\W{1,3}"
    rf"(?:{_LONG}, ){{0,5}}(?:{_LONG}, |{_SHORT},? (?:and|or|und|oder|&) )"
)
_INTRODUCED = re.compile(
    rf"(?:\b(?:{_ENGLISH}|{_ARTICLE}|{_GERMAN}|{_OTHERS})(?!\w){_GAP}{_BETWEEN}|{_SEVERAL}|#\s*)\Z",
    re.IGNORECASE,
)
_THING = re.compile(
    rf"\b(?:{_ARTICLE}|(?:artikel|serien|teile|modell|produkt)-?(?:nummer|nr\.?))"
    rf"(?!\w){_GAP}{_BETWEEN}\Z",
    re.IGNORECASE,
)
_LOOK_BACK = 80  # characters


def is_reference(text: str, start: int) -> bool:
    """True when what stands before `start` says that a number there is no personal one."""
    return _INTRODUCED.search(text[max(0, start - _LOOK_BACK) : start]) is not None


def is_of_a_thing(text: str, start: int) -> bool:
    """True when what stands before `start` says that a number there is an article's or device's."""
    return _THING.search(text[max(0, start - _LOOK_BACK) : start]) is not None
