// German for the English of the page: sentences with named places, read when somebody chooses
// German (specchat/ui/german.py says what a place is). Figures and days are written by Intl.
window.specchatGerman = (() => {
  const { dictionary } = LANGUAGE;
  const FIGURE = "-?(?:\\d{1,3}(?:,\\d{3})+|\\d+)(?:\\.\\d+)?";
  const UNIT = "(?: (?:ms|s|min|h|M|MiB)| ?%|x)";
  const AMOUNT = `(?:–|${FIGURE}${UNIT}?)`;
  const MORE = `(?:(?:, | → )${AMOUNT})*`;
  const KINDS = {
    number: AMOUNT + MORE, day: "\\w+day, \\d+ \\w+", text: "(?:[^·.;]|[.;](?! ))+", parts: "(?:[^·.]|\\.(?! ))+",
    word: "\\S+", sign: "[^\\d\\s]*", quote: "[^]+", name: "[^·;]+",
  };
  const PLACE = /(?<!%)\{(\w+)(?::(\w+))?\}/g; // Plotly has places of its own: %{x}
  const MEASURED = new RegExp(`^${FIGURE}${UNIT}${MORE}$`); // a lone figure might be a version
  const JOINTS = [" · ", "; ", ". ", ": ", ", and ", ", "];
  const GERMAN_JOINTS = { ", and ": " und " };
  const MOST_KEPT = 5_000;
  const LONG = { weekday: "long", day: "numeric", month: "long", timeZone: "UTC" };
  const [englishDay, germanDay] = ["en-GB", "de"].map((language) => new Intl.DateTimeFormat(language, LONG));
  const said = new Map(); // what was translated
  const forms = new Map(); // decimals, and whether thousands are grouped -> format
  let texts = new Map();
  let messages = [];
  let reading = null;

  // The dictionary, once; a server that is out of reach is asked again the next time.
  function load() {
    reading ??= read().catch((problem) => { reading = null; throw problem; });
    return reading;
  }

  async function read() {
    const answer = await fetch(dictionary);
    if (!answer.ok) throw new Error(`${dictionary}: ${answer.status}`);
    const entries = Object.entries(await answer.json());
    texts = new Map(entries);
    messages = entries.filter(([english]) => english.search(PLACE) >= 0).map(compiled);
    messages.sort((a, b) => b.fixed - a.fixed);
  }

  function compiled([english, german]) {
    const kinds = Object.fromEntries([...english.matchAll(PLACE)].map(([, name, kind]) => [name, kind || "name"]));
    const [first, ...rest] = english.split(PLACE); // text, name, kind, text, ...
    let [pattern, fixed] = [escaped(first), first.length];
    for (let i = 0; i < rest.length; i += 3) {
      pattern += `(?<${rest[i]}>${KINDS[kinds[rest[i]]]})${escaped(rest[i + 2])}`;
      fixed += rest[i + 2].length;
    }
    return { pattern: new RegExp(`^${pattern}$`), fixed, kinds, german };
  }

  function escaped(text) {
    return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  }

  // A page says the same again and again: tables, and what is drawn anew every second.
  function sentence(text) {
    if (texts.has(text)) return texts.get(text);
    if (!said.has(text)) {
      if (said.size >= MOST_KEPT) said.clear();
      said.set(text, translated(text));
    }
    return said.get(text);
  }

  function translated(text) {
    if (MEASURED.test(text)) return figures(text);
    for (const { pattern, kinds, german } of messages) {
      const found = pattern.exec(text);
      if (found) return german.replace(PLACE, (_, name) => placed(found.groups[name], kinds[name]));
    }
    const joint = JOINTS.find((mark) => text.includes(mark));
    if (!joint) return text.endsWith(".") ? `${sentence(text.slice(0, -1))}.` : text;
    const end = text.indexOf(joint) + (joint === ". " ? 1 : 0); // a sentence keeps its full stop
    const rest = text.slice(text.indexOf(joint) + joint.length);
    const between = joint === ". " ? " " : GERMAN_JOINTS[joint] || joint;
    return sentence(text.slice(0, end)) + between + sentence(rest);
  }

  function placed(text, kind) {
    if (kind === "number") return figures(text);
    if (kind === "day") return day(text);
    return kind === "text" || kind === "parts" ? sentence(text) : text;
  }

  function figures(text) {
    return text.replace(new RegExp(FIGURE, "g"), (figure) => number(figure.replace(/,/g, ""), figure.includes(",")));
  }

  // A value such as "3.40" with its own decimals.
  function number(value, grouped) {
    const digits = (value.split(".")[1] || "").length;
    const form = `${digits} ${grouped}`;
    if (!forms.has(form)) {
      forms.set(form, new Intl.NumberFormat("de", {
        useGrouping: grouped, minimumFractionDigits: digits, maximumFractionDigits: digits,
      }));
    }
    return forms.get(form).format(value);
  }

  // "Monday, 23 November" is said without its year; one in which it is a Monday serves.
  function day(text) {
    for (let year = 2000; year < 2028; year += 1) {
      const date = new Date(`${text.split(", ")[1]} ${year} UTC`);
      if (!Number.isNaN(date.getTime()) && englishDay.format(date).replace(/^(\w+),? /, "$1, ") === text) return germanDay.format(date);
    }
    return text;
  }

  // What a server-made element says by its value, whatever its English looks like; else undefined.
  function marked(element, text) {
    const [data, time] = [element.closest("data[value]"), element.closest("time[datetime]")];
    if (time && time.matches(".sc-clock")) return text;
    if (time) return germanDay.format(new Date(time.dateTime));
    if (data) return text.replace(new RegExp(FIGURE), (figure) => number(data.value, figure.includes(",")));
    const isCell = element.closest(".sc-figures") && new RegExp(`^${FIGURE}$`).test(text);
    return isCell ? figures(text) : undefined;
  }

  return { load, sentence, figures, marked };
})();
