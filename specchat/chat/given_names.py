"""Given names of many countries, to know a person when a customer names one."""

from __future__ import annotations

_TEXT = """
Aaron Abdul Abigail Adam Adrian Ahmed Aisha Alan Albert Alejandro Alessandro Alexander Alexandra
Ali Alice Alicia Amanda Amelia Amir Amy Ana Andrea Andreas Andrew Angela Anita Anna Anne Anthony
Antonio Arjun Arthur Ashley Astrid Aylin Ayse Barbara Beatriz Benjamin Bernd Beth Betty Bianca
Birgit Brandon Brenda Brian Bruno Camille Carl Carla Carlos Carmen Carol Caroline Catherine
Charles Charlotte Chen Chiara Chloe Chris Christian Christina Christine Christopher Claire Clara
Claudia Connor Craig Daniel Daniela David Deborah Deniz Dennis Diana Diego Dimitri Dmitri Dominik
Donald Donna Dorothy Dylan Edward Elena Elif Elisabeth Elizabeth Ella Ellen Emily Emma Emre Eric
Erik Eva Evelyn Fatima Fatma Felix Fernando Fiona Florian Francesca Francesco Francisco Frank Fred
Frederik Gabriel Gabriela Gary George Georgia Gerald Giovanni Giulia Grace Greta Guillaume Gustavo
Hannah Hans Harold Harry Hassan Heather Heidi Helen Helena Henry Hiroshi Hugo Ian Ibrahim Ines
Ingrid Irene Isaac Isabel Isabella Ivan Jack Jacob James Jan Jana Jane Janet Jason Javier Jean
Jeffrey Jennifer Jeremy Jessica Joan Joanna Johan Johannes John Jonas Jonathan Jorge Jose Joseph
Joshua Joyce Juan Judith Julia Julian Julie Jun Karen Karin Karl Katarzyna Kate Katharina
Katherine Kathleen Keiko Keith Kelly Kenneth Kerstin Kevin Kim Klaus Kumar Kyle Lars Laura Lauren
Lea Lena Leon Leonardo Liam Lily Linda Lisa Logan Louis Louise Luca Lucas Lucia Luis Lukas Lukasz
Madison Magdalena Malik Manuel Marc Marco Marcus Margaret Maria Marie Mark Markus Marta Martin
Martina Mary Mateo Matthew Matthias Mehmet Mei Melissa Mia Michael Michelle Miguel Mohamed
Mohammed Monica Monika Mustafa Nadia Nancy Natalia Natalie Nathan Nicholas Nicole Nikolai Nina
Noah Olga Oliver Olivia Omar Oscar Pablo Pamela Patricia Patrick Paul Paula Pedro Peter Petra
Philip Philippe Pierre Piotr Priya Rachel Rahul Raj Ralph Ramon Raymond Rebecca Ricardo Richard
Rita Robert Roberto Robin Roger Ronald Rosa Ryan Sabine Sally Samantha Samuel Sandra Sanjay Sara
Sarah Scott Sean Sebastian Selin Sergei Sergio Sharon Simon Sofia Sophia Sophie Stefan Stefanie
Stephanie Stephen Steven Susan Susanne Svetlana Sven Tamara Tanya Tatiana Teresa Thomas Tim
Timothy Tobias Tom Tomasz Tyler Ursula Valentina Vera Veronica Victor Victoria Vincent Virginia
Walter Wei Wendy William Wolfgang Xavier Yasmin Yuki Yusuf Zeynep Zoe
"""

GIVEN_NAMES = frozenset(_TEXT.split())
"""As they are spelled in passports written in Latin letters."""
