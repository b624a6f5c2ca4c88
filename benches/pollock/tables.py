"""Twenty tables of different kinds, filled at random: the material for `generate.py`."""

import datetime
import random
import string

WORDS = ("amber basin cedar delta ember fjord grove harbor island jungle kettle ledger meadow needle orchard paddle quarry river "
         "saddle timber umbra valley willow yonder zenith anchor bottle candle dragon engine feather garden hammer").split()
NAMES = "Ada Grace Alan Edsger Barbara Donald Frances Ken Margaret Niklaus Radia Tony Zoë José Björk Søren Łukasz".split()
CITIES = ["Oslo", "New York", "São Paulo", "Łódź", "Graz, Styria", "Washington, D.C.", "Köln", "Aix-en-Provence", "Rome", "Lima"]


class Maker:
    """Makes columns of values; every table has a fresh one."""

    def __init__(self, rng: random.Random):
        self.rng = rng

    def number(self, low: int, high: int) -> str:
        return str(self.rng.randint(low, high))

    def decimal(self, high: float, digits: int) -> str:
        return f"{self.rng.uniform(0, high):.{digits}f}"

    def word(self) -> str:
        return self.rng.choice(WORDS)

    def sentence(self) -> str:
        words = [self.word() for _ in range(self.rng.randint(4, 18))]
        if self.rng.random() < 0.5:
            words[1] += ","
        if self.rng.random() < 0.2:
            words[2] = f'"{words[2]}"'
        if self.rng.random() < 0.2:
            words[-1] += "'s"
        return " ".join(words).capitalize() + "."

    def name(self) -> str:
        return f"{self.rng.choice(NAMES)} {self.word().capitalize()}"

    def last_first(self) -> str:
        return f"{self.word().capitalize()}, {self.rng.choice(NAMES)}"

    def date(self, form: str) -> str:
        return (datetime.datetime(2015, 1, 1) + datetime.timedelta(minutes=self.rng.randint(0, 5_000_000))).strftime(form)

    def code(self) -> str:
        return "".join(self.rng.choices(string.ascii_uppercase, k=2)) + "-" + self.number(1000, 9999)

    def maybe(self, value: str, share: float, missing: str = "") -> str:
        return missing if self.rng.random() < share else value

    def pick(self, *values: str) -> str:
        return self.rng.choice(values)


def sales(m: Maker, at: int):
    return {"order_id": str(1000 + at), "date": m.date("%Y-%m-%d"), "customer": m.last_first(), "item": m.code(),
            "quantity": m.number(1, 40), "price": "$" + m.decimal(200, 2), "note": m.maybe(m.sentence(), 0.4)}


def weather(m: Maker, at: int):
    return {"station": m.pick("A1", "B7", "C3"), "time": m.date("%Y-%m-%dT%H:%M:%S"), "temperature": m.decimal(30, 1),
            "humidity": m.number(20, 100), "pressure": m.decimal(1040, 2), "rain": m.maybe(m.decimal(9, 1), 0.2)}


def people(m: Maker, at: int):
    return {"First name": m.rng.choice(NAMES), "Last name": m.word().capitalize(), "City": m.rng.choice(CITIES),
            "Birthday": m.date("%d/%m/%Y"), "E-mail": f"{m.word()}@{m.word()}.org"}


def words_only(m: Maker, at: int):
    return {"species": m.word(), "habitat": m.pick("forest", "meadow", "coast"), "colour": m.pick("red", "blue", "grey"),
            "remark": m.maybe(m.word(), 0.3)}


def countries(m: Maker, at: int):
    return {"Country": f"{m.word().capitalize()}land {at}", "Code": "".join(m.rng.choices(string.ascii_uppercase, k=3)),
            "Region": m.pick("North", "South", "East & West"), "Population": m.number(10_000, 99_000_000),
            "Area": m.decimal(900_000, 1), "Capital": m.rng.choice(CITIES)}


def numbers(m: Maker, at: int):
    return {name: m.decimal(10, 4) for name in ("x", "y", "z", "vx", "vy", "vz")}


def integers(m: Maker, at: int):
    return {"id": str(at + 1), "a": m.number(0, 9), "b": m.number(0, 99), "c": m.number(-50, 50)}


def two(m: Maker, at: int):
    return {"key": m.word() + m.number(1, 99), "value": m.number(0, 100_000)}


def wide(m: Maker, at: int):
    return {"subject": f"S{at:03}"} | {f"q{n}": m.maybe(m.number(1, 5), 0.1) for n in range(1, 25)}


def log(m: Maker, at: int):
    return {"timestamp": m.date("%Y-%m-%d %H:%M:%S"), "level": m.pick("INFO", "WARN", "ERROR"),
            "module": f"{m.word()}.{m.word()}", "message": m.sentence(), "duration": m.decimal(5, 3)}


def books(m: Maker, at: int):
    return {"title": m.sentence()[:-1], "author": m.last_first(), "year": m.number(1900, 2020), "isbn": m.number(10**12, 10**13 - 1),
            "pages": m.number(40, 900), "link": f"https://example.org/{m.word()}/{at}"}


def stocks(m: Maker, at: int):
    return {"Symbol": m.pick("ABC", "XYZ", "QRS", "LMN"), "Date": m.date("%m/%d/%Y"), "Open": m.decimal(300, 2),
            "High": m.decimal(300, 2), "Low": m.decimal(300, 2), "Close": m.decimal(300, 2), "Volume": f"{m.rng.randint(1000, 9_999_999):,}"}


def survey(m: Maker, at: int):
    return {"respondent": m.number(100_000, 999_999), "consent": m.pick("yes", "no"), "age": m.maybe(m.number(18, 90), 0.1, "NA"),
            "answer": m.sentence(), "score": m.decimal(10, 1)}


def inventory(m: Maker, at: int):
    return {"SKU": m.code(), "Description": m.sentence(), "Size": f'{m.number(4, 60)}"', "In stock": m.pick("true", "false"),
            "Warehouse": m.pick("N-1", "S-2"), "Comment": ""}


def flights(m: Maker, at: int):
    return {"carrier": m.pick("AA", "UA", "DL"), "flight": m.number(1, 4000), "origin": m.pick("JFK", "LGA", "EWR"),
            "dest": m.pick("SFO", "ORD", "ATL", "MIA"), "dep": m.date("%H:%M"), "delay": m.number(-20, 180)}


def genes(m: Maker, at: int):
    return {"gene": f"{m.word().upper()}{at}", "chrom": f"chr{m.rng.randint(1, 22)}", "start": m.number(1, 10**8),
            "strand": m.pick("+", "-"), "pvalue": f"{m.rng.random() ** 8:.2e}", "logfc": m.decimal(4, 5)}


def budget(m: Maker, at: int):
    return {"Department": m.pick("Health", "Schools", "Roads, parks", "Police"), "Account": m.number(100, 999) + "." + m.number(10, 99),
            "Text": m.sentence(), "Planned": f"{m.rng.randint(0, 10**6):,}.00", "Spent": f"{m.rng.randint(0, 10**6):,}.50", "Share": m.number(0, 100) + "%"}


def events(m: Maker, at: int):
    return {"id": m.number(0, 10**9), "when": m.date("%d %b %Y"), "where": m.rng.choice(CITIES), "what": m.sentence(),
            "lat": m.decimal(90, 5), "lon": "-" + m.decimal(180, 5)}


def lexicon(m: Maker, at: int):
    return {"lemma": m.word(), "class": m.pick("noun", "verb", "adjective"), "example": m.sentence(), "translation": m.word()}


def sensors(m: Maker, at: int):
    return {"": str(at), "sensor": m.pick("t1", "t2"), "unix": m.number(1_500_000_000, 1_700_000_000), "value": m.maybe(m.decimal(3, 6), 0.05, "NaN"),
            "ok": m.pick("True", "False")}


ALL = [sales, weather, people, words_only, countries, numbers, integers, two, wide, log, books, stocks, survey, inventory, flights,
       genes, budget, events, lexicon, sensors]


def table(kind, rng: random.Random) -> list[list[str]]:
    """A header and 60 to 110 rows, about as many as the benchmark has."""
    maker = Maker(rng)
    rows = [kind(maker, at) for at in range(rng.randint(60, 110))]
    return [list(rows[0])] + [list(row.values()) for row in rows]
