"""Given names of many countries, to know a person when a customer names one."""

from __future__ import annotations

_TEXT = """
Aaliyah Aaron Abby Abdul Abdullah Abel Abhishek Abigail Abraham Ada Adaeze Adam Addison Adela
Adele Adeline Adewale Aditi Aditya Adrian Adriana Adrien Agata Agnes Agnieszka Ahmad Ahmed Ahmet
Aidan Aiden Aiko Aileen Aimee Aisha Aisling Ajay Akash Akira Akshay Alain Alan Alana Alastair Alba
Albert Alberto Alec Alejandra Alejandro Aleksander Aleksandra Aleksei Alena Alessandra Alessandro
Alessia Alessio Alex Alexander Alexandra Alexandre Alexandru Alexei Alexia Alexis Alfie Alfonso
Alfred Alfredo Ali Alice Alicia Alina Alisa Alisha Alison Alissa Allan Allen Allison Alma Alok
Alvaro Alvin Alyssa Amal Amanda Amaya Ambrose Amelia Amelie Amina Amir Amit Amitabh Amrita Amy Ana
Anand Ananya Anastasia Anders Andre Andrea Andreas Andrei Andres Andrew Andrzej Andy Aneta Angela
Angelica Angelika Angelina Angelo Angie Angus Anika Anil Anish Anisha Anita Anja Anjali Anke Ankit
Ankita Ann Anna Annabel Annabelle Annalisa Anne Annette Annie Annika Anthony Antje Antoine Anton
Antonella Antonia Antonio Anu Anurag Anya Aoife Archana Archie Ariana Arianna Ariel Arif Arjan
Arjun Arlene Armando Arnaud Arne Arnold Arpita Artem Arthur Arturo Arun Aryan Asha Ashish Ashley
Ashok Asif Asma Astrid Athena Aubrey Audrey Augustin Aurelie Avery Axel Ayaan Ayesha Aylin Ayse
Ayush Azra Babette Barbara Bartosz Bastian Beata Beate Beatrice Beatriz Becky Bella Ben Benedict
Benita Benjamin Benoit Berat Bernadette Bernard Bernardo Bernd Bernhard Bert Bertha Bertrand Beth
Bettina Betty Bhavna Bianca Bilal Billie Birgit Blake Blanca Bob Bobby Bodo Bogdan Bonnie Boris
Bozena Brad Bradley Brandi Brandon Brenda Brian Brigitte Britta Brittany Bronwyn Bruno Bryan Bryce
Burak Byron Caitlin Caleb Callum Cameron Camila Camilla Camille Candice Cara Carina Carl Carla
Carlo Carlos Carlotta Carly Carmela Carmen Carolina Caroline Carolyn Carrie Carsten Casey
Cassandra Cassie Catalina Catarina Catherina Catherine Cathy Catriona Cecile Cecilia Cedric
Celeste Celia Celine Cemal Cesar Chandra Chantal Charlene Charles Charley Charlie Charlotte Cheng
Cheryl Chiara Chidi Chinedu Chioma Chitra Chloe Chris Christa Christel Christelle Christina
Christine Christoph Christophe Christopher Ciara Cindy Claire Clara Clare Clarence Claude Claudia
Claudio Claus Clayton Clemens Clement Clifford Clive Clyde Colette Colin Colleen Connor Conor
Conrad Constance Constantin Cora Corey Corinna Corinne Cornelia Cornelius Cory Courtney Craig
Cristian Cristiano Cristina Curtis Cynthia Cyril Cyrus Dagmar Dalia Damian Damien Damon Dan Dana
Daniel Daniela Danielle Danilo Danny Daphne Daria Dario Darius Darlene Darrell Darren Daryl Dave
David Davide Dawid Dean Deanna Debbie Deborah Debra Deepak Deepika Deirdre Delia Delphine Denise
Deniz Dennis Derek Derya Desiree Detlef Devon Diana Diane Diego Dieter Dilip Dimitri Dina Dinesh
Dino Dirk Divya Dmitri Dolores Domenico Dominic Dominik Dominika Dominique Donald Donatella Donna
Donovan Dora Doreen Doris Dorota Dorothea Dorothy Doug Douglas Duncan Dwayne Dwight Dylan Eamon
Ebru Ece Eda Eddie Edgar Edith Edmund Eduardo Edward Edwin Edyta Egon Eileen Ekaterina Elaine
Eleanor Elena Eleni Eleonora Elfriede Eli Elias Elif Elijah Elin Eliot Elisa Elisabeth Elise
Elizabeth Elke Ella Ellen Ellie Elliot Elliott Elmar Elmer Eloise Elsa Elsie Elvira Emanuel
Emanuele Emil Emile Emilia Emilie Emilio Emily Emir Emma Emmanuel Emmett Emre Enrico Enrique Eric
Erica Erich Erik Erika Erin Ernest Ernesto Ernst Esmeralda Esra Esteban Estelle Ester Esther Ethan
Etienne Eugen Eugene Eugenia Eva Evan Evangeline Evelyn Evgeny Ewa Ezgi Ezra Fabian Fabienne Fabio
Fabrice Fabrizio Fadi Faisal Farah Farid Farida Faruk Fatih Fatima Fatma Fatoumata Federica
Federico Felicia Felicity Felipe Felix Ferdinand Fergus Fernando Filip Filippo Finley Finn Fiona
Flavia Flavio Flora Florian Floyd Folake Franca Frances Francesca Francesco Francisco Franco
Francois Francoise Franka Franklin Franz Franziska Frauke Fred Freddie Frederic Frederica
Frederick Frederik Freya Frieda Friederike Friedrich Fritz Furkan Gabriel Gabriela Gabriele
Gabrielle Gael Gail Galina Ganesh Gareth Garry Gary Gaurav Gavin Geeta Gemma Genevieve Geoff
Geoffrey George Gerald Gerard Gerardo Gerd Gerda Gerhard Gerrit Gertrud Gertrude Gesa Gianluca
Gianni Gideon Gilbert Gilles Gillian Gina Ginevra Giorgia Giorgio Giovanna Giovanni Girish Gisela
Giselle Giulia Giuseppe Gizem Gladys Glenn Gloria Gokhan Gonzalo Gordon Gottfried Graham Grazyna
Greg Gregor Gregory Greta Gretchen Grzegorz Gudrun Guido Guillaume Guillermo Gunnar Gunther
Gustavo Gwen Gwendolyn Habib Hadiya Haley Halima Halina Hamza Hanna Hannah Hanne Hannelore Hanno
Hans Harald Hardeep Harish Harold Harpreet Harriet Harrison Harry Harsh Hartmut Harvey Hasan
Hassan Hatice Hazel Heather Hector Hedwig Heidi Heike Heiko Heiner Heinrich Heinz Helen Helena
Helga Helge Hella Helmut Hendrik Henning Henri Henriette Henrik Henry Herbert Herman Hermann
Hester Hilary Hilda Hilde Hildegard Hiroshi Holger Holly Horacio Horst Howard Hubert Huda Hugh
Hugo Humberto Huseyin Hussein Iain Ian Ibrahim Ida Ifeoma Ignacio Igor Ilaria Ilker Ilona Ilse
Iman Imke Imogen Imran Ina Ines Inga Inge Ingeborg Ingo Ingrid Inka Ioana Ira Irena Irene Irfan
Irina Irma Irmgard Isaac Isabel Isabella Isabelle Ishaan Isla Ismael Ismail Issa Ivan Ivana Ivo
Iwona Jackie Jacob Jacqueline Jacques Jaden Jadwiga Jai Jaime Jake Jakob Jakub Jamal James Jamie
Jana Jane Janet Janice Janina Janine Janna Jannik Jared Jarek Jaroslav Jasmin Jason Jasper Javier
Jay Jayden Jayesh Jean-Luc Jean-Pierre Jeanette Jeanne Jeannette Jeff Jeffrey Jelena Jenna Jennie
Jennifer Jenny Jens Jeremiah Jeremy Jerome Jerry Jesper Jesse Jessica Jessie Jill Jim Jimmy
Jitendra Joachim Joan Joanna Joanne Joao Joaquin Jocelyn Jochen Jodie Jody Joe Joel Joerg Joey
Johan Johann Johanna Johannes John Johnny Jolanta Jon Jonah Jonas Jonathan Jordi Jorg Jorge Jose
Josef Josefa Josefina Josefine Joseph Josephine Josh Joshua Josie Josip Jovana Joyce Juan Juana
Juanita Judith Judy Juergen Jules Julia Julian Julie Julien Juliet Juliette Julio Julius Jurgen
Justin Justina Justine Justyna Jutta Jyoti Kadir Kai Kaitlyn Kamal Kamil Kamila Kamran Karan Karen
Karim Karin Karina Karl Karla Karol Karolina Karsten Kasia Kaspar Katarina Katarzyna Kate Katerina
Katharina Katherine Kathleen Kathryn Kathy Katia Katie Katja Katrin Katrina Katy Kavita Kayla
Kazuo Keiko Keira Keith Kelly Kemal Ken Kendra Kenji Kenneth Kenny Kerem Kerry Kerstin Kevin
Khadija Khaled Khalid Kieran Kim Kiran Kirsten Kirsty Klara Klaus Knut Konrad Konstantin Kris
Krishna Krista Kristen Kristian Kristin Kristina Kristine Krystyna Krzysztof Kumar Kunal Kurt
Kwabena Kwame Kyle Kyra Lachlan Laila Lakshmi Lalita Lamar Lance Larissa Larry Lars Latifa Laura
Laurel Lauren Laurence Laurent Lauri Laurie Lavinia Lawrence Layla Lea Leah Leanne Lech Lee Leif
Leila Lena Leon Leonard Leonardo Leonie Leonora Leopold Leroy Leslie Lester Leticia Lev Lewis Liam
Lidia Liesel Lieselotte Lillian Lina Linda Lionel Lisa Lisbeth Lise Liselotte Livia Liz Lizzie
Lloyd Logan Lola Lorena Lorenzo Loretta Lori Lorna Lorraine Lothar Lou Louis Louisa Louise Luc
Luca Lucas Lucia Lucian Luciana Luciano Lucie Lucien Lucille Lucinda Lucy Ludmila Ludovic Ludwig
Luigi Luis Luisa Luise Lukas Lukasz Luke Luther Lutz Luz Lydia Lynn Lynne Maarten Mabel Maciej
Maddie Madeleine Madeline Madhu Madhuri Madison Maeve Magda Magdalena Maggie Magnus Mahesh Mahmoud
Mahmut Maike Maja Malcolm Malgorzata Malia Malik Mallory Malte Mandy Manfred Manish Manisha Manoj
Manuel Manuela Mara Marc Marcel Marcela Marcella Marcelo Marcia Marcin Marco Marcus Mareike Marek
Margaret Margarete Margarita Margherita Margit Margot Marguerite Maria Mariam Mariana Marianne
Mariano Maribel Marie Marielle Marija Marijke Marilyn Marina Mario Marion Marisa Marisol Marit
Marius Mariusz Marjorie Marko Markus Marlene Marlies Marlon Marsha Marshall Marta Marten Martha
Martin Martina Martine Marvin Mary Maryam Mateo Mateusz Mathieu Mathilde Mathis Matilda Matt
Matteo Matthew Matthias Matthijs Mattia Maud Maureen Maurice Mauricio Maurizio Mauro Maxim Maxime
Maximilian Maxine Maxwell Maya Meera Megan Mehdi Mehmet Mei Meike Meinhard Mel Melanie Melike
Melinda Melissa Melvin Meredith Mert Merve Mia Micah Michael Michaela Michal Michele Michelle Mick
Mickael Mieke Miguel Mihai Mika Mike Mikhail Mikko Milena Millie Milos Milton Mindy Minh Mira
Miranda Mireille Miriam Mirjam Miroslav Misha Mitchell Mitsuki Mohamed Mohammad Mohammed Mohan
Mohit Moira Molly Mona Monica Monika Monique Morgan Moritz Morris Mortimer Moses Muhammad Muhammet
Mukesh Murat Muriel Murray Mustafa Myra Myriam Myrtle Nabil Nadia Nadine Nadja Nagesh Naima Nancy
Nandini Naomi Narendra Naresh Nasreen Nasser Nastya Natalia Natalie Natalya Natasha Nathalie
Nathan Nathaniel Naveen Navya Neal Ned Neeraj Neha Neil Nele Nelly Nelson Nermin Nestor Neville
Nia Niamh Nicholas Nick Nicky Niclas Nicola Nicolas Nicole Nicolette Nidhi Niels Nigel Nihal
Nikhil Nikita Niklas Niko Nikola Nikolai Nikolaus Nilay Nils Nilufer Nimisha Nina Nisha Nishant
Nitin Njoki Noah Noam Noel Noelle Noemi Nolan Nora Norbert Noreen Norma Norman Nour Nuno Nur Nuray
Nuria Octavia Oksana Olaf Ole Oleg Olena Olga Oliver Olivia Olivier Ollie Omar Omer Ondrej Orhan
Orla Oscar Oswald Otis Ottilie Otto Owen Ozan Ozge Ozgur Pablo Padma Paige Paloma Pamela Pankaj
Paola Paolo Parth Pascal Pascale Patrice Patricia Patricio Patrick Patrik Patrycja Patsy Patty
Paul Paula Paulette Paulina Pauline Paulo Pavel Pawan Pawel Payal Pedro Peggy Penelope Percy Perry
Petar Pete Peter Petra Phil Philip Philipp Philippe Phillip Phoebe Phyllis Pia Pierre Pieter
Pietro Pilar Piotr Polly Pooja Prabhakar Pradeep Prakash Pranav Prasad Prashant Pratik Praveen
Preeti Prerna Prisca Priscilla Pritam Priya Priyanka Przemyslaw Puneet Quentin Quinn Rabia Rachel
Radha Radoslaw Rafael Rafal Raffaele Raghav Raheem Rahim Rahul Rainer Raj Rajan Rajeev Rajesh
Rajiv Rakesh Ralf Ralph Ramesh Ramiro Ramon Ramona Randall Randy Ranjit Raphael Raquel Rashid
Rasmus Raul Ravi Raymond Reba Rebecca Recep Reena Regina Reginald Reinhard Reinhold Rekha Remi
Remy Renata Renate Rene Renee Renu Reto Reza Rhiannon Rhonda Rhys Ricarda Ricardo Riccardo Richard
Rick Ricky Rik Riley Rita Ritu Riya Robbie Robert Roberta Roberto Rocco Rochelle Roderick Rodney
Rodolfo Rodrigo Roger Rohan Rohini Rohit Roisin Roland Rolf Romain Romina Romy Ron Ronald Ronan
Ronja Ronny Rory Rosa Rosalie Rosalind Rosalinda Rosanna Rosario Roseanne Rosemarie Rosemary Rosie
Roswitha Rowan Roxana Roxanne Roy Ruben Rudi Rudolf Rufus Rupert Ruslan Russell Ruta Ruth Ryan
Sabina Sabine Sabrina Sachin Sadie Saeed Safiya Sagar Sahil Saida Sakura Sally Salma Salman
Salvatore Sam Samantha Samir Samira Sammy Samuel Sana Sandeep Sandra Sandrine Sandro Sanja Sanjay
Sanna Santosh Sara Sarah Sarita Sascha Sasha Satish Saul Saurabh Savitri Scarlett Scott Seamus
Sean Sebastian Sebastien Seda Seema Selena Selim Selin Selma Semra Serena Serge Sergei Sergej
Sergio Serhat Serkan Seth Sevgi Shabnam Shahid Shalini Shane Shania Shanice Shannon Sharon Shashi
Shaun Shauna Shawn Sheena Sheila Shelby Sheldon Shelley Shilpa Shirin Shirley Shivani Shreya
Shubham Shweta Sibel Sid Siddharth Sidney Siegfried Sieglinde Siena Sigrid Sigurd Silke Silvana
Silvia Silvio Simon Simona Simone Sinan Sinead Siobhan Sissel Siti Slawomir Snezana Sofie Solveig
Sonal Sonali Sonia Sonja Sonya Sophia Sophie Soren Spencer Sreedhar Stacey Stacy Stan Stanislav
Stanislaw Stanley Stefan Stefanie Stefano Stella Stephane Stephanie Stephen Sterling Steve Steven
Stewart Stuart Subhash Sudha Sudhir Suleiman Suleyman Sumit Sunil Sunita Suresh Surya Susan Susana
Susann Susanna Susanne Sushma Susi Suzanne Suzy Sven Svenja Svetlana Swati Sybille Sylvain
Sylvester Sylvia Sylvie Szymon Tabea Tabitha Taisiya Takashi Takeshi Talia Tamar Tamara Tamika
Tammy Tania Tanja Tanmay Tanvi Tanya Tara Tariq Tasha Tatiana Tatjana Taylor Ted Teddy Terence
Teresa Terri Terry Tess Tessa Thea Theo Theodor Theodora Theodore Theresa Therese Thiago Thibault
Thilo Thomas Thorsten Tiago Tibor Tiffany Tilda Tilman Tim Timo Timothy Timur Tina Tobias Toby
Todd Tom Tomas Tomasz Tommaso Tommy Toni Tony Torben Torsten Tracey Tracy Travis Trevor Tricia
Tristan Trudy Tuan Tugba Tunde Tushar Tyler Tyrone Udo Ugo Ulf Ulla Ulrich Ulrike Uma Umar Umut
Urs Ursel Ursula Ute Uwe Vaibhav Valentin Valentina Valentino Valeria Valerie Valerio Vanessa
Vanja Varun Vasil Vasile Venkat Vera Veronica Vicente Vicky Victoire Victoria Vijay Vikas Vikram
Viktor Viktoria Vinay Vince Vincent Vincenzo Vineet Vinod Violeta Vipin Vishal Vitor Vittoria
Vivek Vivian Vivien Vivienne Vlad Vladimir Volkan Volker Waldemar Walid Wallace Walter Waltraud
Wanda Warren Wayne Wendy Wenzel Werner Wesley Whitney Wiebke Wilfred Wilfried Wilhelm Willem Willi
William Willie Wilma Winfried Winifred Winston Witold Wladyslaw Wojciech Wolfgang Wouter Xander
Xavier Xiao Yannick Yara Yasemin Yash Yasmin Yasmina Yasmine Yevgeny Ying Yogesh Yoko Yolanda
Yosef Youssef Yuki Yulia Yuri Yusuf Yvette Yvonne Zachary Zack Zahra Zainab Zayn Zbigniew Zehra
Zeljko Zeynep Zoe Zofia Zoltan Zuzana
"""
_SOFT_TEXT = """
Alexa Amber Angel April Archer Art Ash Aspen August Aurora Austin Autumn Basil Berry Bill Brandy
Brook Brooke Calvin Candy Carol Carter Cash Chance Charity Chase Chelsea Chen Cherry Chip
Christian Cliff Cole Cooper Coral Crystal Daisy Dale Dallas Dawn Destiny Diamond Dick Don Drew
Duke Earl Eden Eve Faith Florence Forest Fox France Frank Gay Gene Georgia Ginger Glen Grace Grant
Gray Guy Harley Harmony Harper Heath Heaven Honey Hope Hunter India Iris Israel Ivory Ivy Jack
Jade Jan Jasmine Jean Jewel Jin Jordan Journey Joy Jude Jun June Justice Kay Kit Lane Levi Liberty
Lily London Lourdes Luna Major Mark May Melody Mercedes Mercy Milan Miles Mina Ming Misty Monty
Nova Olive Opal Orlando Page Paris Pat Patience Pearl Penny Phoenix Piper Poppy Porter Precious
Prince Princess Promise Queen Rain Ram Rani Raven Ray Red Reed Rich Rio River Rob Robin Rocky Rod
Roman Rose Ross Ruby Rusty Sage Said Salvador Sandy Santiago Savannah Scout Serenity Sienna Sierra
Sky Sofia Star Stone Storm Sue Summer Sunny Sydney Tanner Till Trinity Troy Victor Vida Viola
Violet Virginia Ward Wei Will Willow Winter Zara
"""

GIVEN_NAMES = frozenset(_TEXT.split())
"""As they are spelled in passports written in Latin letters."""

SOFT_GIVEN_NAMES = frozenset(_SOFT_TEXT.split())
"""Names that are also words, brands or places: people only where more speaks for it."""
