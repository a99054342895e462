"""Messages that are harder to redact than those of `redaction_check`, put together in its way.

They were written after the patterns, and no pattern was changed for them. Two thirds of the names
have a part that is on no list, half of these nothing else; some are in small letters or capitals,
some initials. Beside them stand brands, products and places that sound like people.
"""

from __future__ import annotations

import random

COMMON_GIVEN = (
    "Michael", "Zeynep", "Olivia", "Rajesh", "Beatriz", "Gerhard", "Claire", "Yusuf", "Tatiana",
    "Hiroshi", "Daisy", "Victor", "Robin", "Faith", "Ian", "Ludwig",
)  # fmt: skip
COMMON_FAMILY = (
    "Schneider", "Murphy", "Dupont", "Ferreira", "Aydin", "Watanabe", "Larsson", "Reddy", "Carter",
    "Wang", "Winter", "Esposito", "Cook", "Volkov", "Knight", "Castillo",
)  # fmt: skip
RARE_GIVEN = (
    "Nomvula", "Xochitl", "Siobhra", "Diarmuid", "Comfort", "Bogumił", "Leilani", "Ifeanyi",
    "Quyen", "Svatopluk", "Folasade", "Tamati", "Ingunn", "Angharad", "Babatunde", "Maëlys",
    "Halvard", "Ngaire", "Sadhbh", "Hezekiah",
)  # fmt: skip
RARE_FAMILY = (
    "Khumalo", "Marjoribanks", "Ogunleye", "Smrž", "Nic Dhonnchadha", "Kamakawiwo", "Hämäläinen",
    "Wickramasinghe", "van Nieuwenhuizen", "Grzegorzewski", "Leiataua", "Vandeputte", "Huamán",
    "Cadwaladr", "Munteanu-Rusu", "Chukwuemeka", "Gżegżółka", "Błaszczykowski", "Tollemache",
    "Hagedorn",
)  # fmt: skip

TEMPLATES = (
    # names
    "{name} is listed as the second user, I want that removed",
    "I bought the {product} together with {name}, can we get two invoices?",
    "the voucher was a birthday surprise from {name}, is it still good?",
    "On the phone it was {name}, in the shop somebody else",
    "you spelled it wrong again, it is {name}, please!",
    "Did {name} get the mail about order {order} or did I?",
    "is it true that {name} no longer works for you",
    "{name}'s subscription runs on my card, stop it",
    "we, {name} and {name}, would like to complain about the fitting",
    "all the letters go to {name}, who died in {date}",
    "I am sending this for {name} because the form does not load",
    "The engraving is wrong, it had to be {name}",
    "A certain {name} keeps using my e-mail to order {product}s",
    "ordering as a guest, name {name}, worked before",
    "i showed the code to {name} at the till and she could not scan it",
    "{name} wants to know when the {product} is back",
    "No answer since {date}. I expect a call. {name}",
    "Awaiting your reply,\n{name}",
    "ty, {name}",
    "Good day, you are talking to {name}, customer since 2012",
    "Herzliche Grüße aus dem Norden\n{name}",
    "Bestellt hat {name}, bezahlt habe ich. Rechnung {invoice}",
    "Es geht um das Konto von {name}, Bestellung {order}",
    "Mein Bruder {name} hat dasselbe Problem",
    # where somebody lives, how they are reached, who they are
    "From {date} we are reachable only here: {address}",
    "the map on your site puts {address} in the river",
    "I need the {product} at {address} and the bill at {address}",
    "Wohnort jetzt {address}, bitte ändern",
    "send the technician round, {address}, bell is broken",
    "{phone} is off during the day, use {phone} please",
    "Rückruf erbeten: {phone}",
    "cc {email} so that my wife sees it",
    "there are two accounts, {email} and {email}, merge them",
    "ID card {passport} is what the courier noted",
    "born on {birth}, does the youth discount apply?",
    "Geburtsdatum {birth} stimmt nicht in meinem Profil",
    "my bank says {iban} does not exist, check it",
    "{card} expired, the new one is {card}",
    "{name}, {phone}, {address}",
    # nothing personal
    "Do you have the {brand} in {place} or only online?",
    "Order {order} with the {brand} left {place} on {date}, says {tracking}",
    "My sister lives near {place}, can she use the {amount} voucher there?",
    "Two Year Warranty on the {product}? The Manual says One.",
    "The {brand} is {amount} at your Outlet, why {amount} here?",
    "Newsletter says Free Delivery, Basket says {amount}. Order {order}.",
    "Ist der {product} auch in {place} vorrätig?",
    "Lieferung nach {place} dauert seit {count} Tagen, Sendung {tracking}",
    "Click and Collect in {place}: which Entrance, how long do you keep it?",
    "I rated the {brand} five stars, the {product} two",
    "Invoice {invoice} lists {count} Items, I got {count}",
)
BRANDS = (
    "Calvin Klein coat", "Emma pillow", "Siemens kettle", "Marc Jacobs wallet", "Rosa teapot",
    "Florian desk", "Jo Malone candle", "Stihl saw", "Ted Baker scarf", "Vienna chair",
    "Hemnes bed", "Casio watch", "Kate Spade bag", "Melissa shoes", "Bialetti pot", "Capri rug",
)  # fmt: skip
PLACES = (
    "Dresden", "Limerick", "Carolina", "Leicester", "Salzburg", "San Antonio", "Brisbane",
    "St. Andrews", "Esbjerg", "Madison", "Nevada", "Faro", "Bad Tölz", "the Cotswolds",
    "Santa Cruz",
)  # fmt: skip
ADDRESSES = (
    "N Orchard Rise, Ludlow SY8 1QQ", "Praça do Comércio N, Porto", "N/1 Leith Walk",
    "Auf der Heide N, 21335 Lüneburg", "Kurfürstendamm N", "N quai de Saône, 69002 Lyon",
    "Unit N, N Commerce Way, Tulsa, OK Z", "N E Cypress Ave, Tucson, AZ Z", "Østergade N",
    "Plot N, Sector 8, Chandigarh 160009", "Corso Italia N, 10121 Torino", "N Wattle Road",
    "N Jacaranda Close, Cairns QLD 4870", "P.O. Box N, Rotorua 3040", "Strandveien N, 9006 Tromsø",
    "N-N Namba, Osaka 542-0076", "Mariahilfer Straße N, 1060 Wien",
    "N Mill Bottom, Nether Poppleton", "Gran Vía N, 48001 Bilbao", "apt N, N collins street",
    "Nowy Świat N, 00-400 Warszawa",
)  # fmt: skip


def name(dice: random.Random) -> str:
    """A name in one of the ways customers write them."""
    common = dice.random()
    given = dice.choice(COMMON_GIVEN if common < 0.5 else RARE_GIVEN)
    family = dice.choice(COMMON_FAMILY if common < 1 / 3 or common > 5 / 6 else RARE_FAMILY)
    form = dice.random()
    if form < 0.2:
        return given
    if form < 0.27:
        return f"{given[0]}. {family}"
    full = f"{given} {family}"
    return full.lower() if form < 0.37 else full.upper() if form < 0.42 else full


def birth(dice: random.Random) -> str:
    """A date of birth."""
    day, month, year = dice.randint(1, 28), dice.randint(1, 12), dice.randint(1940, 2006)
    return dice.choice(
        (f"{day:02d}.{month:02d}.{year}", f"{day}/{month}/{year}", f"{year}-{month:02d}-{day:02d}",
         f"{day} March {year}", f"June {day}, {year}")
    )  # fmt: skip


def passport(dice: random.Random) -> str:
    """A number as passports have it: letters and digits."""
    letters = "".join(dice.choices("CFGHJKLMNPRTVWXYZ", k=dice.choice((0, 1, 2))))
    return letters + "".join(dice.choices("0123456789", k=9 - len(letters)))
