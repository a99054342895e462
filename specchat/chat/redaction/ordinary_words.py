"""Words that are no names of people though they may bear a capital: everyday English, brands."""

from __future__ import annotations

from functools import lru_cache

_TEXT = """
ability able about above absolute accept access accessories according account accuracy acknowledge
action active actual add addition additional address adjustments advance advantage adventure
african after again against age agent ago agree agreement ahead aid aim air all allow almost along
already alright also alternate alternative although always amazing amazon american among amount
and angry anniversary another answer any anyone anything apartment apologize apology app appeal
applicable appreciate approval approved april are area around arrange arrival arrive article asap
ascertain asian ask assembly assess assessment assist assistance assistant associate assurance
assure attach attempt august aunt authentic authentication authenticity authorization authorize
automatic availability available average avoid await away baby back bad bag balance bank bar base
basic batch battery bear because been before begin behind being believe below benefits best better
between big bill billion bin birth birthday bit black blender block bloody blue bluetooth body
book bookshelf born both bottle bought box brand brief british broken brother browse browser btw
building business but buy bye cache calculate call calm came camera can cancel cancellation
cancelled cancelling cant capacity car care carrier cart case cash category cause cell center
centre century ceramic certain chair challenge change channel character charge charger chart chat
chatting cheap check checkout cheers child children chinese choice choose christmas ciao
circumstances city claim clarification clarify clear click clock close closer clothing club code
coffee collect collection college color colour com come commendable comment common communicate
communication community company compare compatibility compensation complaint complete completion
complex component computer concern condition confirm confirmation confusion congratulations
connect connection consider consult consumer contact content continue contract control convenient
conversation cooker cookies cookware cool cooperation copy corner correct cost could counterfeit
country coupon courier court cover cracked create creation credentials credit criteria cross
current customer customization customize customs cut cyber dad daily damage dashboard data date
day dead deadline deal dear death debit december decision decline dedicated deduction deemed
defect defective definitely delay delete deletion delighted delightful deliver delivery delve dem
demand dent department depend der describe description designated designed desire desk despite
destination detail determine developments device dial did didn didnt die different digital dinner
direct disappointed disappointment discount discover discrepancy discuss dispatch display dispute
disruption dissatisfaction dissatisfied distress dive diwali document documentation does doesn
doesnt doing done dont door doorstep double down download dress drive driver drop dropping dryer
due duplicate duration during dutch each earlier early earn ears ease easier easily east eastern
easy economy edit edition eid either elaborate electronic eligibility else email embark empower
empty enable end engage english enhance enjoy ensure enter enterprise entry episode error escalate
escalation especially estimate etc european evaluate even event ever every everyone everything
evidence exam example excellent exception exceptional exchange exciting exclusive executive exit
expect expectation expedite expensive experience expert expiry explain explanation explore express
extend extension extent external extra extreme eye face facilitate facility fact fail failure fair
fake false familiarize family fantastic far fast faster fastest father fault faulty feature
february fed fee feedback feel few field file fill film filter final finalize finance financial
find fine first fit fitness five fix flag flat flexibility flight floor focus follow food foot
footage footer for force forget forgot form formal format former forward found four fragile fraud
fraudulent free french friday from front frustrating frustration fulfill fulfillment full fully
function functionality funds further furthermore future fyi gain game gate gateway gather gave
general generate genuine german get getting gift give given glad glass glitch goal god goes gold
gone gonna good goodbye got gotta grab grace grandma grateful great greeting group gruß guarantee
guard guess guidance guide guidelines guten guy had hair half halloween hand handle hanging happen
happy hard has hasn hassle have haven head headphones health hear heart held hello help her here
hey hi high higher highest highlight him his history hit hmm hola hold holder home honor hope
hopefully hotline hour house how however hrs hub huge huh human hurry icon id idea ideal
identification identify idk ill im image immediate imo impossible inaccurate inch incident include
incomplete inconvenience inconvenient incorrect increase indeed indian industry info inform
information initial initiate initiation input inquire inquiry inside inspect inspection instance
instant instead institution instruction insufficient interaction interface interim internal
international into invalid inventory investigate investigation invoice isn isnt issue italian item
its ive jacket january japanese jesus job join joke journey joy july june junk just keep kept key
keyboard kids kind kitchen know knowledge kurta label lack land landmark language laptop large
last late later latest launch lead learn leather leave led left lend lens let level lie life light
like limit limitations line link list listen lite literally little live local locate location log
logged logging login logistical logistics logo lol long longer look lord lose loss lost lot loud
love lying maam machine madam made mail main maintain major make maker mam man manage management
manager manual manufacturing many march mark marvelous match max maximize maximum may maybe mean
meanwhile media medical meet member membership memory mention menu message met method might
million min mini minor miscommunication misleading mismatch miss mistake misunderstanding mix
mixer mobile mode model modification modify moin mom moment monday monetary money monitor more
moreover morning most mother mouse move much multiple mum must nah name nature navigate near
nearest necessary need negative neighbor neighbour net network never new newsletter next nice
night no nobody noise non none noon nope north northern not note nothing notification notify
november now number numerous obtain obvious october off offer office official often oil ok okay
old omg once one ongoing online only open operating operation opinion opt option order
organization original other otherwise our out outline outside oven over overnight oversight
overview overwhelming own pack package page paid pain pair park part partial partner party pass
password past path patience patient pay payment peace pending pens people per perfect performance
perfume perhaps period perks personalization personalize phone photo photograph photographic
physical pick pickup picture piece pin pincode place plan plastic plates platform platinum play
player please pleasure pls plus plz point police policy poor popular portal portion possible post
postal potential power pre prefer preference premium prepaid prepare prescription present
presentation pressure pretty prevent previous price primary prime print prior prioritize priority
privacy pro proactive problem proceed process product profile program progress promise promotional
promotions prompt proof proper protect protection protective protector provide provider purchase
put quality quantity query question quick radiation ramadan random range rate reach read ready
real reason rebate receipt receive recent reception recipient reclamation recommendations record
recover recovery rectify red redelivery redirect reference reflect refrain refrigerator refund
regain regarding regardless region regional registration regular reimbursement reinstate rejected
relate relations relay release relevant remain remember reminder remove reorder repair repeated
replace replacement report representative request require reroute reschedule resend reset
resetting reship reshipment residence resolution resolve resources respect response rest
restitution restocking restore restrictions retrieval retrieve retry return reverse review revised
rewards right risk road role root route ruined rule run running rupees safe safeguard safety sale
same santa saree satisfaction satisfied saturday save saw say scam scan schedule school scratch
screen screenshot scroll seal seamless search season second secondary section secure security see
seek seem seen select selection self sell seller send senior sense sent separate september serial
series serious server service set setting setup several shall share she ship shipment shipped
shipping shirt shoe shop shopping short should shouldnt show side sign significant silk silver
similar simple simply since single sir sister site situation six size slight slot slow small smart
smartphone smartwatch smell smooth social software sold solution solve some somebody someone
something sometimes son soon sorry sort sound source south southern space spam spanish speak
speaker special specific specifically specify speed splendid staff stage stand standard start
state statement station status stay step still stipulated stitching stock storage store street
strong stuck student study style subject submission submit submitting subscribe subscribers
subscription successful such sufficient suggest suit suitable sum summary sunday super supervisor
supplier support supposed sure suspect suspicious swap swapping swift switch system tab table tag
tailor take taken talk tampered tampering task team technical technician television tell temporary
term terminate termination terrible test text textbook than thank thanksgiving thankyou that the
their them then there therefore these they theyre think third this those though thought three
thrilled thrilling through throughout thursday thx ticket time timeframe title today together told
toll tomorrow tone too took tools top topic torn total town toy trace track traffic transaction
transfer transit transition travel tried trip troubleshoot trust try tuesday tune turkish turn
twice two ty type typical tysm u ultra unable unacceptable unauthorized unavailable uncle und
under understand understandable understood unexpected unfair unforeseen unfortunate unhappy unique
unit unlock unquestionably unsatisfactory unsubscribe unsuccessful until unusual update upgrade
upi upload upon ur urgent usage use user using usually utilize value variations variety vary vase
vehicle vendor verification verify very via video view visit voice volume voucher wait walk wallet
want war warranty was washing wasn wasted watch water way wear weather web website wedding
wednesday week weight welcome well went were west western what whatever when where whether which
whichever while white who whole whom why wide wife will win window wish with withdrawal within
without won wonderful wont word work world worry would wow wrap write written wrong yeah year yep
yes yesterday yet you your yourself yup zip
"""
_CHAT = """
ah airport alley am an apartment apartments as at avenue bay be beach boulevard bridge by castle
centre church clement colony corner creek cuz danger do downtown drive eur falls garden gate gimme
go gonna harbour he hills hm hmm hospital hr idc if ill im in inr is island islands it its ive jk
lake lance lemme lol mall market me midlands mount mountain mr my nagar no nvm of oh ok okk omg on
or park parkway pics plaza plzz pm point port quay ridge rly road rs school secret shore smh so
square station sterling street summit tbh temple terrace theyre til tmrw to tower town trail uh um
university up us usd valley vihar village we westside weve wtf yaar yea youre youve
"""
_GERMAN = """
abend adresse alle allee antwort april artikel auf august aus bei beste bestellnummer bestellung
bestellungen betrag bezahlung bitte damen dank danke deine deiner dezember dienstag diese dieser
dieses donnerstag durch eilt email erstattung eure eurer februar filiale firma frage fragen
freitag freundliche freundlichen freundlicher geehrte geehrter gegen geld geschenk gmbh gruessen
gruss grusse gruß grüße grüßen guten gutschein hallo haus hause herren herzliche herzlichen hilfe
ich ihr ihre ihrem ihren ihrer ihres januar jede jeder jedes juli juni karte kauf kein keine
keiner konto kunde kunden kundendienst kundennummer kundenservice kundin laden lager liebe lieber
lieferung mai markt mein meine meinem meinen meiner meines mit mitarbeiter mitarbeiterin mittwoch
moin montag morgen märz nach nachname nachricht name namen november nummer ohne oktober ort paket
problem rechnung rechnungsnummer reklamation retoure rückerstattung rückgabe rückruf samstag
schöne sehr sein seine seinem seinen seiner seit september servus sonntag statt straße tag team
telefon termin uhr umtausch und unser unsere unserem unserer unter versand vertrag viele vielen
vor vorname ware warum weg wegen wenn wie woche wochen wohnung zahlung zwischen über
"""
_BRANDS = """
adidas airbnb aldi alexa alibaba aliexpress amazon american android apple armani asus audi axis bata
bing bluetooth bmw boat boden bosch bose braun canon cartier casio chanel chrome cisco citibank
clarks coca cola costco dell dettol dhl dior disney dove dyson ebay edge etsy excel facebook fedex
fila firefox fitbit flipkart ford fossil gap gillette gmail google gopro gucci haier hermes hitachi
honda honor hotmail hoover huawei hyundai ikea infinix instagram intel iphone jbl kenmore
kindle kitchenaid klarna kodak lego lenovo levis lidl linkedin linux logitech loreal mac macbook
mastercard mattel maybelline microsoft microwave miele mitsubishi motorola myntra nescafe nespresso
nestle netflix nike nikon nintendo nissan nivea nokia nord nvidia oneplus oppo oracle oral outlook
palmolive panasonic pampers paypal paytm peloton pepsi philips pixel playstation prada prestige puma
realme reddit redmi reebok revolut ricoh roku rolex roomba rowenta ryanair safari salesforce samsung
sandisk seagate sephora shein shopify siemens siri skype snapchat sony spotify starbucks stripe
swatch target tefal tesco tesla thermos tiktok timberland titan toshiba toyota trustpilot twitter
uber uniqlo usps vans venmo verizon versace visa vivo vodafone volkswagen volvo walmart western
whatsapp whirlpool windows wifi xbox xerox xiaomi yahoo youtube zalando zara zoom
surf raymond milton lenskart titan jockey bata tanishq croma
aloe argan boucle chevron crochet denim ethernet fleece herringbone jacquard macrame merino mohair
paisley polyester rattan sherpa teak tencel velvet
"""
_BRAND_PHRASES = """
alexander mcqueen, allen solly, aston martin, aunt jemima, ben & jerry, black & decker, bobbi
brown, calvin klein, carolina herrera, charles tyrwhitt, charlotte tilbury, christian dior,
christian louboutin, daniel wellington, dr martens, dr pepper, dr scholl, dr. martens, dr. pepper,
dr. scholl, eddie bauer, elizabeth arden, emma bridgewater, estee lauder, father christmas, fred
perry, georg jensen, george foreman, giorgio armani, harley davidson, harry potter, hugo boss,
jack daniel, jack wolfskin, jean paul gaultier, jo malone, john deere, john lewis, johnnie walker,
karl lagerfeld, kate spade, kenneth cole, lands end, laura ashley, levi strauss, liz claiborne,
louis philippe, louis vuitton, marc jacobs, mark levinson, mary kay, michael kors, miss dior, mr
clean, mr coffee, mr muscle, mr. clean, mr. coffee, mr. muscle, mrs meyer, nina ricci, olivia
burton, oscar de la renta, paul mitchell, paul smith, peter england, philip morris, ralph lauren,
ray ban, roger & gallet, sally hansen, santa claus, stella mccartney, steve madden, ted baker,
thomas sabo, tommy hilfiger, tory burch, van heusen, vera bradley, vera wang, victoria secret,
vivienne westwood, william morris, yves rocher, yves saint laurent
"""

_WORDS = frozenset((_TEXT + _CHAT + _GERMAN + _BRANDS).split())
_PHRASES = tuple(" ".join(phrase.split()) for phrase in _BRAND_PHRASES.split(","))
_ENDINGS = (
    ("'s", ""), ("’s", ""), ("s", ""), ("es", ""), ("ed", ""), ("ed", "e"), ("d", ""), ("ing", ""),
    ("ing", "e"), ("ly", ""), ("ies", "y"), ("ied", "y"),
)  # fmt: skip


@lru_cache(maxsize=4096)
def is_ordinary(word: str) -> bool:
    """True for a word of the language or a brand, also with an ending, whatever its case."""
    lower = word.lower()
    return lower in _WORDS or any(
        len(lower) - len(ending) > 2
        and lower.endswith(ending)
        and lower[: len(lower) - len(ending)] + instead in _WORDS
        for ending, instead in _ENDINGS
    )


def is_brand(words: str) -> bool:
    """True when these words begin with a brand that is named like a person: "Ralph Lauren"."""
    return words.lower().startswith(_PHRASES)
