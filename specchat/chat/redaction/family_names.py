"""Family names of many countries, to know a person when a customer names one."""

from __future__ import annotations

_TEXT = """
Abbas Abbott Abdi Abdullah Abe Abraham Abramov Acosta Adams Adebayo Adeyemi Agarwal Aguilar
Aguirre Ahmad Ahmed Ahmeti Akbar Akhtar Aksoy Albrecht Ali Allen Almeida Alonso Alvarez Alves
Amari Andersen Anderson Andersson Andrade Andreev Andrews Antonov Aoki Araujo Arias Arnold Arora
Arslan Asante Ashworth Aslan Atkins Atkinson Augustin Avila Aydin Aziz Babic Bachmann Baer Bailey
Bajwa Balogun Banerjee Baptiste Barbieri Barker Barnes Barrett Barros Bartlett Barton Batista
Bauer Baumann Baumgartner Becker Beckmann Benitez Bennett Benson Bergmann Bernard Berntsen
Bertrand Bhatt Bhattacharya Bianchi Bielefeld Bjork Blanchard Bogdanov Bondarenko Bonnet Borisov
Botha Boucher Bouvier Bowen Boyd Boyle Bradley Brandt Brennan Bruno Bryant Buchanan Burgess Burke
Burnett Burns Burton Busch Byrne Böhm Cabrera Caldwell Calvo Campbell Campos Cardoso Carlson Carr
Carrillo Carroll Carson Caruso Carvalho Castillo Castro Celik Cerny Chakraborty Chan Chandra Chang
Chapman Charpentier Chaudhary Chavez Chen Cheng Cheung Chevalier Chopra Chowdhury Christensen
Christiansen Chung Clark Clarke Clement Cohen Coleman Collins Colombo Connolly Connor Contreras
Cordero Cornell Correa Cortez Crawford Cunningham Curtis Czerny Dalton Daly Davidson Davies Davis
Dawson Delgado Demir Deng Desai Deshmukh Diallo Dias Diaz Dietrich Dimitrov Ding Dixon Dogan
Doherty Domingo Dominguez Donnelly Douglas Doyle Doğan Duarte Dubey Dubois Dufour Duncan Dunn
Dupont Durand Dutta Dvorak Eberhardt Ebert Eckert Edwards Eklund Elliott Ellis Erdogan Eriksen
Eriksson Escobar Espinoza Esposito Evans Fabre Farrell Faulkner Faure Fedorov Ferguson Fernandes
Fernandez Ferrari Ferreira Fiedler Figueroa Fischer Fitzgerald Fleischer Fleming Fletcher Flores
Flynn Fontaine Forster Fournier Fowler Franke Fraser Freitag Friedman Friedrich Fritz Fuchs
Fuentes Fujimoto Fujita Gallagher Gallo Gandhi Garcia Garner Garrett Garza Gauthier Geiger Gerber
Ghosh Gibson Gilbert Giordano Girard Giuliani Gomes Gomez Gonzales Gonzalez Gonçalves Gordon
Goswami Graham Greco Greenberg Greene Griffin Griffith Griffiths Grimm Groß Gruber Guerra Guerrero
Guillaume Gunnarsson Gupta Gustafsson Gutierrez Guzman Günther Haas Hagen Hahn Haider Hakimi
Hamilton Hammond Hansen Hanson Hansson Harrington Harris Harrison Hartmann Harvey Hasan Hashimoto
Hassan Haugen Hawkins Hayashi Hayes Heinrich Heller Henderson Henry Herman Hernandez Herrera
Herrmann Hess Hidalgo Higgins Hinrichs Hirsch Hoang Hoffman Hoffmann Hofmann Holmes Horvat Horvath
Howard Howell Hsu Huang Huber Huerta Hughes Huisman Hussain Hussein Huynh Hwang Ibarra Ibrahim
Iglesias Ingram Iqbal Ismail Ito Ivanov Ivanova Iyer Jackson Jacobs Jacobsen Jacobson Jain
Jakobsen Jansen Janssen Jansson Jenkins Jennings Jensen Jha Jimenez Johannsen Johansen Johansson
Johnson Johnston Jones Jonsson Joseph Joshi Jovanovic Juarez Jäger Kamau Kaminski Kapoor Kapur
Karlsson Kato Kaufmann Kaur Kaya Keller Kelly Kennedy Khalil Khanna Kim Kimura Kirchner Kobayashi
Koch Koehler Kondo Korhonen Kovac Kovacs Kovalenko Kowalczyk Kowalska Kowalski Kozlov Kramer Kraus
Krause Krishnan Kruger Kruse Krämer Krüger Kuhn Kulkarni Kumar Kuznetsov Köhler König Kılıç
Lambert Larsen Larson Larsson Lau Laurent Lawrence Lawson Leclerc Lee Lefebvre Legrand Lehmann
Lemaire Leroy Lewandowski Lewis Liang Lindberg Lindqvist Lindström Lopes Lopez Lorenz Lucas Ludwig
Lundgren Lynch MacDonald Machado Mackenzie Madsen Mahmood Maier Malhotra Malik Mancini Manning
Marchand Marchetti Mariani Marin Marques Marquez Marshall Martens Martin Martinez Martins Mathur
Matsumoto Matthews Maurer Mayer Mazur McAllister McCarthy McCoy McDonald McDonnell McGrath
McGregor McKenna McKenzie McKinney McLean McMahon Mehta Meier Meijer Melo Mendes Mendez Mendoza
Menon Mercier Meyer Michaels Michel Miller Mishra Mitchell Mitra Mohamed Molina Monteiro
Montgomery Moore Morales Moreau Moreira Moreno Moretti Morgan Morris Morrison Mueller Mukherjee
Muller Munoz Murphy Murray Mutua Muñoz Myers Möller Müller Nagel Naidu Nair Nakajima Nakamura
Narayan Navarro Nelson Neumann Newman Ngo Nielsen Nikolaev Nilsson Nordin Novak Nowak Nunes Nunez
Nuñez O'Brien O'Connell O'Connor O'Donnell O'Neill O'Reilly O'Sullivan Oberg Ochoa Odhiambo Ogawa
Okada Okafor Okeke Oliveira Olsen Olson Olsson Omar Ong Onyango Orozco Ortega Ortiz Osborne Osei
Osman Otieno Owens Ozturk Pacheco Padilla Pandey Papadopoulos Parmar Patel Paterson Patil
Patterson Paulsen Pavlov Pearson Pedersen Pereira Perez Perkins Persson Petersen Peterson Petrov
Petrova Petrovic Pfeiffer Pham Phillips Pillai Pinto Pires Pohl Popescu Popov Prasad Preston
Pritchard Quinn Qureshi Raghavan Rahman Raman Ramirez Ramos Rana Rao Rasmussen Rathore Reddy
Reilly Reinhardt Renard Reyes Reynolds Ribeiro Ricci Richards Richardson Richter Riedel Rivera
Roberts Robertson Robinson Robles Rodrigues Rodriguez Rogers Rojas Romano Romero Rosenberg Rossi
Rousseau Roux Ruiz Russo Rusu Ryan Sahin Saito Salazar Salinas Sanchez Sandberg Sanders Sandoval
Santana Santos Sasaki Sato Saunders Saxena Schaefer Schmid Schmidt Schmitt Schmitz Schneider
Scholz Schreiber Schroeder Schröder Schubert Schulte Schultz Schulz Schulze Schumacher Schuster
Schäfer Scott Seidel Serrano Sethi Shah Shaikh Sharma Shaw Sheridan Shetty Shevchenko Shimizu
Shrestha Shukla Silva Simmons Simpson Singh Sinha Sjöberg Smirnov Smit Smith Snyder Soares Sokolov
Solberg Sorensen Soto Sousa Souza Spencer Steiner Stephens Stevenson Stewart Stojanovic Strauss
Stuart Suarez Subramanian Sullivan Suzuki Svensson Swanson Szabo Sørensen Takahashi Talwar Tanaka
Taylor Teixeira Thakur Thapa Thiel Thomas Thompson Thomsen Thomson Thornton Tiwari Toledo Torres
Toth Tran Tremblay Trivedi Tyagi Ueda Usman Valdez Vance Varga Vargas Vasquez Vaughan Vazquez
Velasquez Venkatesan Verma Vieira Villanueva Virtanen Visser Vogel Vogt Volkov Voss Wagner Wallace
Walsh Walters Wang Warner Watanabe Watkins Watson Webb Weber Welch Werner Westergaard Whitaker
Whitehead Wieczorek Wiese Wilhelm Wilkins Wilkinson Williams Williamson Willis Wilson Winkler
Wisniewski Wolff Wong Wójcik Yadav Yamada Yamaguchi Yamamoto Yildiz Yilmaz Yoshida Yousef Yıldırım
Yıldız Yılmaz Zamora Zapata Zhang Zhao Zheng Zhou Zielinski Zimmerman Zimmermann Çelik Özdemir
Öztürk Şahin
"""
_SOFT_TEXT = """
Alexander Appel Armstrong Baker Bell Berger Bianco Bishop Blanc Blanco Bose Braun Brooks Brown
Bush Butler Carpenter Carter Chandler Conte Cooper Costa Cox Craig Cruz Dahl Daniels Das Engel
Falk Fisher Foster Fuller Gardner George Goodman Hall Han Hardy Harper Hill Ho Holland Holm Holt
Horn Hudson Hunt James Jung Kaiser Kang Kemp Kerr Khan King Klein Kleine Knight Kraft Kurz Lam
Lang Lange Leone Li Lim Lima Lin Liu Long Lowe Lund Ma Marino Marsh Martini May Mills Mori Moser
Musa Ng Noor Obi Oliver Orlov Otto Palmer Parsons Penny Peters Petit Porter Powell Reid Rios
Ritter Roche Rosario Rose Ross Roth Roy Savage Schwarz Sen Seth Shepherd Simon Sims Skinner
Solomon Sommer Song Stark Stein Stevens Sun Tan Tang Tanner Tucker Turner Valencia Valentine Vega
Vidal Villa Walker Washington Waters Weaver Webster Weiss Wells West Wheeler Winter Wolf Wood
Woods Wright Wu Xu Yang Yates Young Yu Zhu
"""

FAMILY_NAMES = frozenset(_TEXT.split())
"""As they are spelled in passports written in Latin letters."""

SOFT_FAMILY_NAMES = frozenset(_SOFT_TEXT.split())
"""Names that are also words, or too short to say much: only behind a given name."""
