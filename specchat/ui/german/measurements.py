"""The German of recorded measurements on the dashboard: load tests, speculators, a GPU."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    # under load
    "Under load": "Unter Last",
    "Load test": "Lasttest",
    "No load test yet": "Noch kein Lasttest",
    "Run": "Führen Sie",
    "in a terminal: what it measures on this machine is drawn here.": (
        "in einem Terminal aus: Was er auf dieser Maschine misst, erscheint hier."
    ),
    "Measured by you with": "Von Ihnen gemessen mit",
    ". Users send the next question when the last answer is there; every arm has the same KV "
    "memory.": ". Jeder Nutzer stellt die nächste Frage, sobald die letzte Antwort da ist; alle "
    "Varianten haben denselben KV-Speicher.",
    "A recorded run: measured on the machine named below, not on this one. Users send the next "
    "question when the last answer is there; every arm has the same KV memory.": (
        "Ein aufgezeichneter Lauf: gemessen auf der unten genannten Maschine, nicht auf dieser. "
        "Jeder Nutzer stellt die nächste Frage, sobald die letzte Antwort da ist; alle Varianten "
        "haben denselben KV-Speicher."
    ),
    "one at a time, contiguous": "einzeln, zusammenhängend",
    "batched, contiguous": "gebündelt, zusammenhängend",
    "batched, paged": "gebündelt, seitenweise",
    "+ prefix cache (plain)": "+ Präfixspeicher (einfach)",
    "+ speculation": "+ Spekulation",
    "plain again (null)": "noch einmal einfach (Kontrolle)",
    "plain again": "noch einmal einfach",
    "one at a time": "das Nacheinander",
    "reservations": "Reservierungen",
    "compute": "Rechenleistung",
    "users sustained": "Nutzer gleichzeitig",
    "users": "Nutzer",
    "requests per second that arrive": "eintreffende Anfragen je Sekunde",
    "tokens per second": "Token je Sekunde",
    "requests per second": "Anfragen je Sekunde",
    "times plain": "Vielfaches von einfach",
    "Throughput": "Durchsatz",
    "Goodput (answers within the objective)": "Antworten innerhalb der Zielzeit",
    "%{y}: %{x} users": "%{y}: %{x} Nutzer",
    # speculators
    "No drafts yet": "Noch keine Entwürfe",
    "Answers with speculation leave here what each speculator earned and cost.": (
        "Antworten mit Spekulation zeigen hier, was jeder Spekulator einbrachte und kostete."
    ),
    "Asked": "Gefragt",
    "Verified": "Geprüft",
    "Accepted": "Angenommen",
    "Rate (95 %)": "Anteil (95 %)",
    "ms per draft": "ms je Entwurf",
    "ms per accepted token": "ms je angenommenem Token",
    "Worth it?": "Lohnt es sich?",
    "not known": "nicht bekannt",
    "yes": "ja",
    "no: slower than plain": "nein: langsamer als einfach",
    "none accepted": "keiner angenommen",
    "no plain answer here to compare with": "hier gibt es keine einfache Antwort zum Vergleich",
    "Arm": "Variante",
    "Tokens per step": "Token je Schritt",
    "Nodes per step": "Knoten je Schritt",
    "Draft ms": "Entwerfen, ms",
    "Verify ms": "Prüfen, ms",
    "Speedup over plain (95 %)": "Schneller als einfach (95 %)",
    "merged": "vereint",
    "policy": "Steuerung",
    "earlier answers that are drafted from": "frühere Antworten, aus denen entworfen wird",
    "the store alone": "nur der Speicher",
    "the store with the others": "der Speicher mit den anderen",
    "tokens per step": "Token je Schritt",
    # a GPU
    "On a GPU, recorded": "Auf einer GPU, aufgezeichnet",
    "Plain, ms per token": "Einfach, ms je Token",
    "Over reading the weights": "Gegenüber dem Lesen der Gewichte",
    "8 rows over 1": "8 Zeilen gegenüber 1",
    "Median speedup by streams": "Mittlere Beschleunigung je Streams",
    "not measured": "nicht gemessen",
}

PATTERNS: tuple[tuple[str, str], ...] = (
    # under load
    (r"(.+): (\d+) users? within the objective", "{1}: $2 Nutzer innerhalb der Zielzeit"),
    (r"(.+): (\d+) users? within the objective, (.+) times one at a time",
     "{1}: $2 Nutzer innerhalb der Zielzeit, $3-mal so viele wie einzeln"),
    (r"at most (\d+) ran together in the KV memory",
     "höchstens $1 liefen gleichzeitig im KV-Speicher"),
    (r"at most (\d+) tokens/s", "höchstens $1 Token/s"),
    (r"at most (\d+) tokens/s, reached with (\d+) users",
     "höchstens $1 Token/s, erreicht mit $2 Nutzern"),
    (r"at most (\d+) tokens/s, reached with (\d+) users and then bound by (.+)",
     "höchstens $1 Token/s, erreicht mit $2 Nutzern und dann begrenzt durch {3}"),
    (r"bound by (.+)", "begrenzt durch {1}"),
    (r"Yours: (.+)", "Ihrer: {1}"),
    (r"Recorded \((.+)\): (.+)", "Aufgezeichnet ($1): {2}"),
    (r"The load test (.+) cannot be drawn: its file is not as expected\.",
     "Der Lasttest $1 lässt sich nicht zeichnen: Seine Datei ist nicht wie erwartet."),
    (r"Users with p95 TTFT ≤ (.+) ms and p95 TPOT ≤ (.+) ms \(n = (.+) answers\)",
     "Nutzer mit p95 TTFT ≤ $1 ms und p95 TPOT ≤ $2 ms (n = $3 Antworten)"),
    (r"Throughput over plain, median and 95 % interval or range \(n = (.+) pairs\)",
     "Durchsatz gegenüber einfach, Median und 95-%-Intervall oder Spanne (n = $1 Paare)"),
    (r"(.+), objective (.+) ms \(n = (.+) answers\)", "{1}, Ziel $2 ms (n = $3 Antworten)"),
    (r"(.+) \(n = ([\d,]+) answers\)", "{1} (n = $2 Antworten)"),
    (r"(\d+) \(not (\d+)\)", "$1 (nicht $2)"),
    (r"(\d+) \(too few answers at (\d+)\)", "$1 (zu wenige Antworten bei $2)"),
    (r"(\d+) or more", "$1 oder mehr"),
    (r"(.+) tokens/s, (\d+) windows from (.+) to (.+)",
     "$1 Token/s, $2 Zeitfenster von $3 bis $4"),
    (r"(.+) of (.+) requests/s in time \(n = (.+)\)",
     "$1 von $2 Anfragen/s rechtzeitig (n = $3)"),
    (r"(.+)x, (.+) to (.+) \((\d+) pairs\)", "$1x, $2 bis $3 ($4 Paare)"),
    # speculators
    (r"([\d,]+) steps? of answers with speculation", "$1 Schritte von Antworten mit Spekulation"),
    (r"(.+) ran plain because drafts were not paying",
     "$1 liefen einfach, weil Entwürfe sich nicht lohnten"),
    (r"a token takes (.+) ms in the plain answers here \(median\)",
     "ein Token dauert in den einfachen Antworten hier $1 ms (Median)"),
    (r"(.+)\. A draft is worth it where its time for one accepted token is less than a plain "
     r"one's", "{1}. Ein Entwurf lohnt sich, wo seine Zeit je angenommenem Token unter der eines "
     "einfachen liegt"),
    (r"verifying it takes time too, which the policy measures\.",
     "auch das Prüfen kostet Zeit, was die Steuerung misst."),
    (r"([\d %]+) \(([\d %]+) to ([\d %]+)\)", "$1 ($2 bis $3)"),
    (r"([\d.]+x) \(([\d.]+) to ([\d.]+)\)", "$1 ($2 bis $3)"),
    (r"(\w+)@([\d,]+) alone", "$1@$2 allein"),
    (r"(\w+)@([\d,]+) with the others", "$1@$2 mit den anderen"),
    (r"Recorded: (.+)", "Aufgezeichnet: {1}"),
    (r"recorded: (.+)", "aufgezeichnet: {1}"),
    (r"(.+), (\d+) threads, (.+) in (\w+), (\w+), (\d+) prompts x (\d+), temperature (.+), "
     r"(\d{4}-\d\d-\d\d), commit (\S+)",
     "$1, $2 Threads, $3 in $4, {5}, $6 Fragen x $7, Temperatur $8, $9, Commit {10}"),
    (r"Growth with the history \(n = (.+) prompts\)",
     "Wachstum mit den früheren Antworten (n = $1 Fragen)"),
    (r"%\{x\} answers: %\{y:\.2f\} tokens per step, %\{text\}",
     "%{x} Antworten: %{y:.2f} Token je Schritt, %{text}"),
    (r"([\d.]+)x faster than plain", "$1-mal so schnell wie einfach"),
    # a GPU
    (r"Recorded on (.+)", "Aufgezeichnet auf $1"),
)  # fmt: skip
