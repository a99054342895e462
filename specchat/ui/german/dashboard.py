"""The German of the dashboard: its sections, tiles and charts; keys are the English texts."""

from __future__ import annotations

from specchat.ui.dashboard import savings

TEXTS: dict[str, str] = {
    "were the page itself, as the model's answer failed the check": (
        "waren die Seite selbst, weil die Antwort des Modells nicht bestand"
    ),
    "said that it does not know": "sagten, dass der Chat es nicht weiß",
    "had an unsupported specific before the check": "hatten vor der Prüfung eine unbelegte Angabe",
    # filters
    "Time": "Zeit",
    "Mode": "Modus",
    "Model": "Modell",
    "Kind": "Art",
    "Scenario (races)": "Situation (Rennen)",
    "Speculator": "Spekulator",
    "Load": "Last",
    "Any": "Alle",
    "All that is kept": "Alles Aufbewahrte",
    "Last hour": "Letzte Stunde",
    "Last 24 hours": "Letzte 24 Stunden",
    "Last 7 days": "Letzte 7 Tage",
    "Started at once": "Sofort begonnen",
    "Had to wait": "Musste warten",
    "chat": "Chat",
    "race": "Rennen",
    "audit": "Prüfung",
    # the engine, live
    "Engine, live": "Die Maschine jetzt",
    "answers running": "Antworten laufen",
    "tokens/s, answers of the last minute": "Token/s, Antworten der letzten Minute",
    "of prompt tokens from the prefix cache": "der Prompt-Token aus dem Präfixspeicher",
    "backend": "Rechenweg",
    "backend, still warming up": "Rechenweg, wärmt noch auf",
    "native": "nativ",
    "records written, none lost": "Einträge geschrieben, keiner verloren",
    # headline and tiles
    "Reading the record…": "Die Aufzeichnung wird gelesen …",
    "No turns yet": "Noch keine Antworten",
    "Ask a question in Chat or run a race in Race. Every answer leaves its evidence here within "
    "seconds.": "Stellen Sie im Chat eine Frage oder starten Sie ein Rennen. Jede Antwort "
    "hinterlässt hier nach Sekunden ihre Messwerte.",
    "No turn fits these filters": "Keine Antwort passt zu diesen Filtern",
    "Choose a longer time or set filters to Any.": (
        "Wählen Sie einen längeren Zeitraum oder stellen Sie Filter auf „Alle“."
    ),
    "No races yet": "Noch keine Rennen",
    "No race to compare yet": "Noch kein Rennen zum Vergleichen",
    "Run a race: only the same question asked both ways shows what speculation saves.": (
        "Starten Sie ein Rennen: Nur dieselbe Frage auf beide Arten zeigt, was Spekulation spart."
    ),
    "a 95 % interval needs at least 6 different prompts": (
        "für ein 95-%-Intervall braucht es mindestens 6 verschiedene Fragen"
    ),
    "turns": "Antworten",
    "races": "Rennen",
    "turns and races": "Antworten und Rennen",
    "τ over all tokens": "τ über alle Token",
    "counters contradict each other: a defect in the measurement": (
        "Zähler widersprechen sich: ein Fehler der Messung"
    ),
    "nearly every draft was accepted: look for repetition in the answer": (
        "fast jeder Entwurf wurde angenommen: Wiederholt sich die Antwort?"
    ),
    "hardly any draft was accepted: the speculator does not fit": (
        "kaum ein Entwurf wurde angenommen: Der Spekulator passt nicht zum Modell"
    ),
    # table
    "Turns, newest first": "Antworten, neueste zuerst",
    "Time (UTC)": "Zeit (UTC)",
    "Tokens": "Token",
    "tok/s": "Token/s",
    "Accepted %": "Angenommen %",
    "completed": "fertig",
    "cancelled": "angehalten",
    "Search...": "Suchen …",
    "Search": "Suchen",
    # comparison, savings, export
    "Compare two configurations": "Zwei Konfigurationen vergleichen",
    "There is only one configuration among these turns. Race once, or change speculators, nodes "
    "or temperature, and come back.": "Unter diesen Antworten gibt es nur eine Konfiguration. "
    "Starten Sie ein Rennen oder ändern Sie Spekulatoren, Knoten oder Temperatur.",
    "Median": "Median",
    "End to end": "Gesamtzeit",
    "Time to first token": "Zeit bis zum ersten Token",
    "Time per output token": "Zeit je Token",
    "Tokens of the answer": "Token der Antwort",
    "Drafts accepted": "Entwürfe angenommen",
    "Comparison": "Vergleich",
    "1 (plain)": "1 (einfach)",
    "Medians of completed turns. They are not paired: the questions may differ. For the effect of "
    "speculation alone see the races above.": "Mediane fertiger Antworten, nicht gepaart: Die "
    "Fragen können sich unterscheiden. Was Spekulation allein bewirkt, zeigen die Rennen oben.",
    "Savings calculator": "Sparrechner",
    "Chats": "Chats",
    "Answers per chat": "Antworten je Chat",
    "Price of the machine per hour": "Preis der Maschine je Stunde",
    "Extrapolation, not a measurement": "Hochrechnung, keine Messung",
    savings.IMPOSSIBLE: "Chats, Antworten je Chat und Preis müssen Zahlen ab 0 sein.",
    "Nothing to extrapolate from yet: run a race, or Race all five.": (
        "Noch gibt es nichts hochzurechnen: Starten Sie ein Rennen oder alle fünf."
    ),
    "Turns as CSV": "Antworten als CSV",
    "Turns as JSON": "Antworten als JSON",
    "Charts as PNG": "Diagramme als PNG",
    "There is nothing to export: no turn fits these filters.": (
        "Es gibt nichts zu exportieren: Keine Antwort passt zu diesen Filtern."
    ),
    # charts
    "Tokens over time, from a common start": "Token im Zeitverlauf, ab gemeinsamem Start",
    "ms since the question was sent": "ms seit dem Absenden der Frage",
    "tokens": "Token",
    "plain, ms": "einfach, ms",
    "speculative, ms": "spekulativ, ms",
    "same time (y = x)": "gleiche Zeit (y = x)",
    "%{y} tokens after %{x:.0f} ms": "%{y} Token nach %{x:.0f} ms",
    "first token after %{x:.0f} ms": "erstes Token nach %{x:.0f} ms",
    "plain %{x:.0f} ms": "einfach %{x:.0f} ms",
    "speculative %{y:.0f} ms": "spekulativ %{y:.0f} ms",
    "plain / speculative time (1 = the same)": "einfache / spekulative Zeit (1 = gleich)",
    "one race": "ein Rennen",
    "Other": "Sonstiges",
    "share of turns": "Anteil der Antworten",
    "%{y:.0%} within %{x:.0f} ms": "%{y:.0%} innerhalb von %{x:.0f} ms",
    "draft token": "Entwurfstoken",
    "accepted": "angenommen",
    "accepted draft tokens": "angenommene Entwurfstoken",
    "share of passes": "Anteil der Durchläufe",
    "%{x} accepted: %{customdata} passes (%{y:.0%})": (
        "%{x} angenommen: %{customdata} Durchläufe (%{y:.0%})"
    ),
    "time, UTC": "Zeit, UTC",
    "pages at the most": "Seiten, höchstens",
    "%{y} pages at %{x}": "%{y} Seiten um %{x}",
}

PATTERNS: tuple[tuple[str, str], ...] = (
    # headline and tiles
    (r"([\d.]+)x faster with speculation", "Mit Spekulation $1-mal so schnell"),
    (r"([\d.]+)x: slower with speculation here", "$1x: hier mit Spekulation langsamer"),
    (r"([\d.]+)x: about the same speed", "$1x: etwa gleich schnell"),
    (r"median of 1 prompt", "aus 1 Frage"),
    (r"median of ([\d,]+) prompts", "Median aus $1 Fragen"),
    (r"median of ([\d,]+) prompts, 95 % interval (.+) to (.+)",
     "Median aus $1 Fragen, 95-%-Intervall $2 bis $3"),
    (r"(\d+) slower", "$1 langsamer"),
    (r"(.+) saved over ([\d,]+) races?", "in $2 Rennen $1 gespart"),
    (r"(.+) lost over ([\d,]+) races?", "in $2 Rennen $1 verloren"),
    (r"(\d+) of (\d+) races? gave the same answer both ways",
     "$1 von $2 Rennen gaben beide Male dieselbe Antwort"),
    (r"(\d+) left out of all times", "$1 bei allen Zeiten nicht gezählt"),
    (r"turns?, ([\d,]+) races?", "Antworten, $1 Rennen"),
    (r"per turn (.+) \(median of ([\d,]+)\)", "je Antwort $1 (Median von $2)"),
    (r"of ([\d,]+) drafts accepted", "von $1 Entwürfen angenommen"),
    (r"of ([\d,]+) drafts accepted, 95 % interval (.+) to (.+)",
     "von $1 Entwürfen angenommen, 95-%-Intervall $2 bis $3"),
    (r"1 turn: (.+)", "1 Antwort: {1}"),
    (r"([\d,]+) turns: (.+)", "$1 Antworten: {2}"),
    (r"speculation at a loss with (.+): (.+), 95 % interval (.+) to (.+)",
     "Spekulation kostet hier Zeit mit {1}: $2, 95-%-Intervall $3 bis $4"),
    # the engine, live
    (r"([\d,]+) shared", "$1 geteilt"),
    (r"([\d,]+) held", "$1 belegt"),
    (r"([\d,]+) cached", "$1 im Speicher"),
    (r"([\d,]+) free", "$1 frei"),
    (r"Page map of the KV cache: ([\d,]+) pages of (\d+) tokens, one square is one page",
     "Seiten des KV-Speichers: $1 zu je $2 Token, ein Feld ist eine Seite"),
    (r"Page map of the KV cache: ([\d,]+) pages of (\d+) tokens, one square is up to ([\d,]+) "
     r"pages", "Seiten des KV-Speichers: $1 zu je $2 Token, ein Feld steht für bis zu $3 Seiten"),
    (r"steps, (\d+) preemptions", "Schritte, $1 Verdrängungen"),
    (r"compiled (\d+/\d+)", "kompiliert $1"),
    (r"records written, (\d+) LOST: (.+)", "Einträge geschrieben, $1 VERLOREN: $2"),
    (r"records written", "Einträge geschrieben"),
    (r"the database refuses: (.+)", "die Datenbank lehnt ab: $1"),
    # where it comes from
    (r"(.+) and (\d+) more", "{1} und $2 weitere"),
    (r"model (.+)", "Modell $1"),
    (r"dtype (.+)", "Datentyp $1"),
    (r"hardware (.+)", "Hardware {1}"),
    (r"(\d+) threads", "$1 Threads"),
    (r"(\d+) threads, (.+)", "$1 Threads, {2}"),
    (r"(.+), (\d+) threads", "{1}, $2 Threads"),
    (r"speculators (.+)", "Spekulatoren $1"),
    (r"temperature ([\d., ]+)", "Temperatur $1"),
    (r"at most ([\d., ]+) tokens", "höchstens $1 Token"),
    (r"at most ([\d., ]+) and (\d+) more tokens", "höchstens $1 und $2 weitere Token"),
    (r"code (.+)", "Code $1"),
    (r"commit (.+)", "Commit $1"),
    (r"KV cache ([\d,]+) tokens", "KV-Speicher $1 Token"),
    (r"KV cache (.+)", "KV-Speicher $1"),
    (r"prompts (.+)", "Fragen $1"),
    (r"(\d+) x (.+) s at each load", "$1 x $2 s je Last"),
    # comparison, savings, export
    (r"([AB]): (.+)", "$1: {2}"),
    (r"([\d %–]+) of ([\d,]+)", "$1 von $2"),
    (r"no speculator", "kein Spekulator"),
    (r"(.+) saved over ([\d,]+) chats", "$1 gespart bei $2 Chats"),
    (r"(.+) saved over ([\d,]+) chats, worth (.+)", "$1 gespart bei $2 Chats, im Wert von $3"),
    (r"(.+) lost over ([\d,]+) chats", "$1 verloren bei $2 Chats"),
    (r"(.+) lost over ([\d,]+) chats, worth (.+)", "$1 verloren bei $2 Chats, im Wert von $3"),
    (r"From the median saving of 1 prompt", "Aus der Ersparnis bei 1 Frage"),
    (r"From the median saving of (\d+) prompts", "Aus dem Median der Ersparnis bei $1 Fragen"),
    (r"without speculation the answers would take (.+)",
     "ohne Spekulation würden die Antworten $1 dauern"),
    (r"(.+)\. It assumes answers like those raced, one at a time, on this machine\.",
     "{1}. Angenommen sind Antworten wie die gemessenen, eine nach der anderen, auf dieser "
     "Maschine."),
    (r"95 % interval (.+) to (.+)", "95-%-Intervall $1 bis $2"),
    (r"an interval needs at least 6 different prompts",
     "für ein Intervall braucht es mindestens 6 verschiedene Fragen"),
    (r"([\d,]+) turns exported", "$1 Antworten exportiert"),
    (r"Only the newest ([\d,]+) (.+) are counted\.", "Gezählt sind nur die neuesten $1 {2}."),
    # charts
    (r"of ([\d,]+) answers? from pages or orders", "von $1 Antworten aus Seiten oder Bestellungen"),
    (r"Races with the same answer, end to end \(n = (.+)\)",
     "Rennen mit gleicher Antwort, Gesamtzeit (n = $1)"),
    (r"(Paired speedup|End-to-end speedup by scenario), median and 95 % interval \(n = (.+)\)",
     "{1}, Median und 95-%-Intervall (n = $2)"),
    (r"Paired speedup", "Gepaarte Beschleunigung"),
    (r"End-to-end speedup by scenario", "Beschleunigung je Situation"),
    (r"(Refund|Delivery|Account|Invoice|Complaint|Other) \(n = (.+)\)", "{1} (n = $2)"),
    (r"(End to end|Time to first token) \((plain|speculative) n = ([\d,]+)\)",
     "{1} ({2} n = $3)"),
    (r"(End to end|Time to first token) \(plain n = ([\d,]+), speculative n = ([\d,]+)\)",
     "{1} (einfach n = $2, spekulativ n = $3)"),
    (r"(plain|speculative), TTFT (.+)", "{1}, TTFT $2"),
    (r"(plain|speculative): (p50 .+)", "{1}: $2"),
    (r"([\d,]+) tokens?, (\d{4}-.+)", "$1 Token, $2"),
    (r"Acceptance by depth of the draft, 95 % Wilson interval",
     "Annahme nach Tiefe des Entwurfs, 95-%-Wilson-Intervall"),
    (r"Acceptance by depth of the draft, 95 % Wilson interval \(n = (.+) down to (.+)\)",
     "Annahme nach Tiefe des Entwurfs, 95-%-Wilson-Intervall (n = $1 bis $2)"),
    (r"Draft tokens accepted per target pass \(n = (.+)\)",
     "Angenommene Entwurfstoken je Durchlauf (n = $1)"),
    (r"KV pages held by a turn \(n = (.+)\)", "KV-Seiten einer Antwort (n = $1)"),
    (r"(.+), too few for an interval \(n = (.+)\)", "$1, zu wenige für ein Intervall (n = $2)"),
    (r"(.+), 95 % interval (.+) to (.+), n = (.+)", "$1, 95-%-Intervall $2 bis $3, n = $4"),
)  # fmt: skip
