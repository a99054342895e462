"""A company as the files of assets/training describe one: two pages, two questions."""

COMPANY = """
kind = "lamp shop"
names = ["Glow", "Lumen"]

[facts]
days = ["two days", "three days"]
fee = ["$4", "$5"]

[[page]]
id = "delivery"
titles = ["Delivery", "How we deliver"]
[page.say]
time = ["{name} delivers in {days}.", "Delivery takes {days}.", "In {days} it is there."]
cost = ["Delivery costs {fee}.", "We charge {fee}.", "It is {fee}."]
[[page.ask]]
needs = ["time"]
q = ["when does my lamp from {name} come", "how many days is delivery"]
[[page.follow]]
after = "time"
needs = ["cost"]
q = ["and what is it?"]

[[page]]
id = "returns"
titles = ["Returns"]
[page.say]
how = ["Send a lamp back in its box.", "Lamps go back in their box.", "Use the box."]
[[page.ask]]
needs = ["how"]
q = ["can I send a lamp back"]
"""
