"""Codes that let somebody in once, and PINs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from specchat.chat.redaction.patterns import matches
from specchat.chat.redaction.spans import Span

_DIGITS = r"(?:[A-Z]-)?\d{3}[ -]\d{3}(?!\d)|\d(?: \d){3,7}|[A-Z]{1,2}-\d{4,8}|\d{4,8}"
_MIXED = r"(?-i:(?=[A-Z]{0,7}\d)(?=\d{0,7}[A-Z])[A-Z\d]{4,8})"
_END = r"(?![\w%-])(?![.,:/]\d)(?! ?(?:%|eur|euro|usd|dollars?|pounds?|€|\$|days?|hours?|times)\b)"
_KIND = (
    r"(?:verification|verify|security|access|log-?in|sign-?in|auth(?:enticat(?:ion|or)"
    r"|ori[sz]ation)?"
    r"|activation|unlock|sms|text|confirmation|reset|recovery|backup|one[ -]time|single[ -]use"
    r"|2fa|mfa|two[ -]factor|bank|phone|account)"
)
_ONCE = (
    rf"(?:otps?|one[ -]time (?:pass ?(?:word|code)|code|pin)|{_KIND}[ -]?(?:code|pin)|passcode"
    r"|2fa|mfa|(?-i:TAN)|(?:m|sms|i|push|chip)-?tan|pin(?:[ -]?(?:code|number|nr\.?|nummer))?"
    r"|(?:bestätigungs|sicherheits|einmal|freischalt|sms-?|anmelde|verifizierungs|aktivierungs"
    r"|zugangs)-?code"
    r"|einmalpasswort|code (?:de (?:vérification|sécurité|confirmation)|secret|confidentiel)"
    r"|código (?:de (?:verificación|seguridad|acceso|confirmación)|pin|sms)"
    r"|(?:verificatie|beveiligings|inlog|bevestigings|sms-?)code"
    r"|kod(?:em)? (?:weryfikacyjny|sms|pin|dostępu|autoryzacyjny|jednorazowy))"
)
_BETWEEN = (
    r"(?:\W{0,3}\b(?:is|was|are|ist|war|lautet|est|es|jest|to|now|still|code|number|nummer|from|in"
    r"|the|my|your|i|you|it|got|get|received|sent|gave|me|sms|text|app|mail|e-mail|for|says|said"
    r"|shows|reads|set|changed|mein|die|der|das|aus|new|old|card|account|login|reads|came|entered"
    r"|typed|tried|used|using|aus|dem|per|via|by|just|here|that|which|on|phone|reçu|par|mon|mi|mijn"
    r"|moj|mój|we|of|message|had|have|should|be|should be)\b){0,9}\W{0,4}"
)
_CODE_BEHIND = re.compile(
    rf"(?<![\w-]){_ONCE}(?!\w){_BETWEEN}(?<![\w])({_DIGITS}|{_MIXED}){_END}", re.IGNORECASE
)
_CODE_SENT = re.compile(
    r"(?<![\w-])(?:(?P<before>\w{1,20}) )?(?:code|digits|codigo|código|kod)s?"
    r"(?: (?:from|in|of|by|via|on|you|that|which|i|we|sent|texted|aus|per|vom|von|reçu|recibido"
    r"|uit)\b"
    r"|(?: (?:is|was|ist|lautet|est|es|jest))?:? (?=\d))"
    rf"{_BETWEEN}(?<![\w])({_DIGITS}|{_MIXED}){_END}",
    re.IGNORECASE,
)
_TEXTED = re.compile(
    r"\b(?:sms|text message|text|texted me|authenticator(?: app)?)\b(?:\W{1,3}(?:says?|said"
    r"|shows?|with|reads?"
    r"|is|was|has|had|contains?|contained|gave|me|the|a|code|number|came|and|it|i|got|which|that))"
    rf"{{1,5}}\W{{1,3}}(\d{{4,8}}|\d{{3}}[ -]\d{{3}}){_END}",
    re.IGNORECASE,
)
_CODE_BEFORE = re.compile(
    rf"(?<![\w#-])({_DIGITS}|{_MIXED})[\"']? (?:is|was|as|ist|war|als|est|es|jest)(?: (?:the|my"
    rf"|your|a|der"
    rf"|mein|meine|die|le|mon|mi|el|de|mijn|mój|new|old|only|last|current|right|correct))*"
    rf" (?:{_ONCE}|(?:{_KIND} )?(?:code|pin)(?! (?:for|of) (?:the )?(?:product|item|order)))\b",
    re.IGNORECASE,
)
_CODE_TRIED = re.compile(  # "I typed in 448192 but the otp failed"
    r"(?<![\w#-])(\d{6})(?![\w-])[^.?!\n\d]{0,40}\b(?:otp|2fa|(?:verification|security|sms) code"
    r"|one[ -]time)\b",
    re.IGNORECASE,
)
_OTHER_CODES_TEXT = """
tracking order product item promo promotion promotional discount coupon voucher zip postal post
error country area sort bank bar qr reference booking return gift model colour color size style
dress source status swift bic dial shipping invoice article referral invite invitation store shop
campaign offer offers catalogue catalog part material batch cost tax hs hsn location airline flight
airport delivery parcel pickup shipment locker rabatt gutschein artikel
"""
_OTHER_CODES = frozenset(_OTHER_CODES_TEXT.split())
_NUMBER_IS_OF = re.compile(
    r"\b(?:order|parcel|package|tracking|invoice|bestellung|sendung|rechnung|paket|ticket|case)"
    r"(?: (?:number|no\.?|id|nr\.?))?[ :#]{1,3}\Z",
    re.IGNORECASE,
)


def codes(text: str) -> Iterable[Span]:
    """One-time codes and PINs (`code`)."""
    for match in matches(text, _CODE_BEHIND, _TEXTED):
        yield Span(*match.span(1), "code")
    for match in _CODE_SENT.finditer(text):
        if (match["before"] or "").lower() not in _OTHER_CODES:
            yield Span(*match.span(2), "code")
    for match in matches(text, _CODE_BEFORE, _CODE_TRIED):
        if not _NUMBER_IS_OF.search(text[max(0, match.start() - 30) : match.start()]):
            yield Span(*match.span(1), "code")
