"""Names of countries and of large cities, to know a place when a customer names one."""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(" ".join(name.split()).lower() for name in text.split(","))


COUNTRIES = _names("""
Afghanistan, Albania, Algeria, Andorra, Angola, Argentina, Armenia, Australia, Austria,
Azerbaijan, Bahamas, Bahrain, Bangladesh, Barbados, Belarus, Belgium, Belize, Benin, Bhutan,
Bolivia, Bosnia, Botswana, Brazil, Brunei, Bulgaria, Burundi, Cambodia, Cameroon, Canada, Chile,
China, Colombia, Costa Rica, Croatia, Cuba, Cyprus, Czechia, Czech Republic, Denmark,
Dominican Republic, Ecuador, Egypt, El Salvador, England, Estonia, Ethiopia, Fiji, Finland,
France, Gabon, Georgia, Germany, Ghana, Great Britain, Greece, Guatemala, Haiti, Holland,
Honduras, Hong Kong, Hungary, Iceland, India, Indonesia, Iran, Iraq, Ireland, Israel, Italy,
Ivory Coast, Jamaica, Japan, Jordan, Kazakhstan, Kenya, Kosovo, Kuwait, Laos, Latvia, Lebanon,
Liberia, Libya, Liechtenstein, Lithuania, Luxembourg, Madagascar, Malawi, Malaysia, Maldives,
Mali, Malta, Mauritius, Mexico, Moldova, Monaco, Mongolia, Montenegro, Morocco, Mozambique,
Myanmar, Namibia, Nepal, Netherlands, New Zealand, Nicaragua, Niger, Nigeria, North Macedonia,
Northern Ireland, Norway, Oman, Pakistan, Panama, Paraguay, Peru, Philippines, Poland, Portugal,
Puerto Rico, Qatar, Romania, Russia, Rwanda, San Marino, Saudi Arabia, Scotland, Senegal, Serbia,
Singapore, Slovakia, Slovenia, Somalia, South Africa, South Korea, Spain, Sri Lanka, Sudan,
Sweden, Switzerland, Syria, Taiwan, Tanzania, Thailand, Tunisia, Turkey, Uganda, Ukraine,
United Arab Emirates, United Kingdom, United States, Uruguay, Uzbekistan, Venezuela, Vietnam,
Wales, Yemen, Zambia, Zimbabwe, UK, USA, UAE, the Netherlands, the United Kingdom,
the United States, the UK, the USA, the US, the UAE
""")
"""Lower-case names of countries, as customers write them."""

CITIES = _names("""
Amsterdam, Athens, Atlanta, Auckland, Austin, Baltimore, Bangalore, Bangkok, Barcelona,
Beijing, Belfast, Berlin, Birmingham, Boston, Bristol, Brussels, Bucharest, Budapest, Cairo,
Calgary, Cape Town, Cardiff, Chennai, Chicago, Cologne, Copenhagen, Dallas, Delhi, Denver,
Detroit, Dubai, Dublin, Edinburgh, Frankfurt, Geneva, Glasgow, Hamburg, Helsinki, Houston,
Hyderabad, Istanbul, Jakarta, Johannesburg, Karachi, Kolkata, Krakow, Kyiv, Lagos, Las Vegas,
Leeds, Lisbon, Liverpool, London, Los Angeles, Lyon, Madrid, Manchester, Manila, Marseille,
Melbourne, Mexico City, Miami, Milan, Minneapolis, Montreal, Moscow, Mumbai, Munich, Nairobi,
Naples, New York, New York City, Osaka, Oslo, Ottawa, Paris, Philadelphia, Phoenix, Porto,
Portland, Prague, Riga, Rio de Janeiro, Rome, Rotterdam, San Diego, San Francisco, Santiago,
Sao Paulo, Seattle, Seoul, Shanghai, Sofia, Stockholm, Sydney, Taipei, Tallinn, Tel Aviv, Tokyo,
Toronto, Turin, Vancouver, Venice, Vienna, Vilnius, Warsaw, Washington, Zagreb, Zurich
""")
"""Lower-case names of large cities."""
