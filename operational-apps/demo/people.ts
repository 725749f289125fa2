import type { Language, Region } from './places.ts';
import type { Random } from './random.ts';

const FIRST: Readonly<Record<Language, string>> = {
  de: 'Anna Lukas Marie Jonas Lena Felix Sophie Paul Emma Maximilian Clara Leon Hannah Tobias Julia Stefan Katrin Moritz Greta Niklas Sabine Matthias Franziska Jürgen Heike Björn',
  fr: 'Camille Hugo Léa Louis Chloé Jules Manon Arthur Inès Théo Élise Antoine Juliette Nicolas Margaux Olivier Céline Baptiste Amélie Thierry Sylvie Gaël Noémie Pascal',
  nl: 'Daan Sanne Bram Lotte Sem Fleur Thijs Anouk Ruben Femke Jeroen Marloes Wouter Iris Maarten Esmée Koen Nienke Joost Roos',
  es: 'Lucía Mateo Sofía Pablo Carmen Diego Marta Javier Elena Álvaro Paula Sergio Nuria Adrián Laura Íñigo Rocío Manuel',
  it: 'Giulia Lorenzo Chiara Matteo Francesca Andrea Martina Davide Elisa Marco Sara Riccardo Alessia Stefano Ilaria Tommaso Beatrice Niccolò',
  en: 'Olivia Liam Emma Noah Ava Ethan Mia Mason Harper Logan Ella Caleb Grace Owen Zoe Wyatt Ruby Hunter Hazel Cole Maya Jordan Riley Avery Dakota Sierra Brooke Tanner Luis Priya Mei Aisha Malik Diego',
};

const LAST: Readonly<Record<Language, string>> = {
  de: 'Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Koch Bauer Richter Klein Wolf Schröder Neumann Braun Krüger Hofmann Lange Werner Krause Lehmann Vogt Brandt Lindner',
  fr: "Martin Bernard Dubois Thomas Robert Richard Petit Durand Leroy Moreau Simon Laurent Lefebvre Michel Garcia Fournier Girard Bonnet Mercier Blanc Rousseau Chevalier D'Arcy",
  nl: 'Jansen Vries Bakker Visser Smit Meijer Boer Mulder Groot Bos Vos Peters Hendriks Dekker Brouwer Dijkstra Kuipers Veenstra',
  es: 'García Fernández González Rodríguez López Martínez Sánchez Pérez Gómez Ruiz Díaz Moreno Álvarez Romero Navarro Torres Ibáñez',
  it: "Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Bruno Gallo Conti Costa Mancini Rizzo Lombardi D'Angelo",
  en: "Smith Johnson Williams Brown Jones Garcia Miller Davis Martinez Lopez Wilson Anderson Taylor Moore Jackson Lee Thompson White Harris Clark Walker Young King Wright Scott Torres Nguyen Hill Green Baker Nelson Carter Mitchell Patel Kim O'Brien Okafor",
};

const STREETS: Readonly<Record<Language, string>> = {
  de: 'Hauptstraße|Gartenweg|Lindenallee|Bergstraße|Schillerstraße|Am Markt|Rosenweg|Goethestraße|Bahnhofstraße|Mühlenweg',
  fr: 'Rue de la République|Rue Victor Hugo|Avenue des Lilas|Rue du Moulin|Boulevard Voltaire|Rue des Écoles|Place du Marché|Allée des Tilleuls',
  nl: 'Dorpsstraat|Kerkstraat|Molenweg|Stationsstraat|Prinsengracht|Beatrixlaan|Parkweg|Lindelaan',
  es: 'Calle Mayor|Avenida de la Paz|Calle del Sol|Plaza de España|Calle Cervantes|Paseo del Prado|Calle Nueva',
  it: 'Via Roma|Via Garibaldi|Corso Italia|Via Verdi|Piazza Dante|Via Mazzini|Via dei Mille',
  en: 'Maple Street|Oak Avenue|Cedar Lane|Pine Ridge Road|Main Street|Lakeview Drive|Sunset Boulevard|River Road|Highland Avenue|Juniper Court|Aspen Way',
};

const split = <T extends string>(lists: Readonly<Record<T, string>>, by: string): Record<T, string[]> =>
  Object.fromEntries(Object.entries<string>(lists).map(([key, list]) => [key, list.split(by)])) as Record<
    T,
    string[]
  >;

const first = split(FIRST, ' ');
const last = split(LAST, ' ');
const streets = split(STREETS, '|');

const COMPANY_WORDS =
  'Alpen Nordic Harbor Summit Vista Meridian Juniper Atlas Beacon Cobalt Ember Falcon Granite Horizon Iris Lumen Maple Orchid Pioneer Quartz Riverside Sterling Terra Umbra Verde Willow Zenith Amber Birch Cedar Delta Echo'.split(
    ' ',
  );
const COMPANY_KINDS: Readonly<Record<string, readonly string[]>> = {
  hospitality: ['Hotels', 'Resorts', 'Lodges', 'Guesthouse'],
  retail: ['Stores', 'Trading', 'Market', 'Boutique'],
  office: ['Consulting', 'Partners', 'Offices', 'Advisors'],
  health: ['Clinic', 'Health', 'Care Group'],
  education: ['Academy', 'School', 'Institute'],
  technology: ['Software', 'Systems', 'Labs'],
  construction: ['Builders', 'Construction', 'Interiors'],
  sports: ['Climbing Gym', 'Outdoor Club', 'Sports', 'Guides'],
};
const INDUSTRIES = Object.keys(COMPANY_KINDS);

const LEGAL: Readonly<Record<string, string>> = {
  DE: 'GmbH',
  AT: 'GmbH',
  FR: 'SARL',
  NL: 'B.V.',
  ES: 'S.L.',
  IT: 'S.r.l.',
  US: 'Inc.',
};

const JOBS = [
  'Purchasing manager',
  'Owner',
  'Office manager',
  'Operations lead',
  'Head of procurement',
  'Assistant',
  'Facility manager',
];

export interface Person {
  readonly first: string;
  readonly last: string;
  readonly name: string;
  readonly email: string;
  readonly phone: string;
}

export interface Address {
  readonly street: string;
  readonly city: string;
  readonly region: string;
  readonly postalCode: string;
  readonly country: string;
}

/** A person of a region. `unique` keeps e-mail addresses apart. All domains and numbers are reserved for examples. */
export function person(random: Random, region: Region, unique: number, domain?: string): Person {
  const givenName = random.pick(first[region.language]);
  const familyName = random.pick(last[region.language]);
  const local = `${ascii(givenName)}.${ascii(familyName)}`;
  return {
    first: givenName,
    last: familyName,
    name: `${givenName} ${familyName}`,
    email: domain ? `${local}@${domain}` : `${local}${unique}@${random.pick(MAIL)}`,
    phone: phone(random, region.country),
  };
}

const MAIL = ['example.com', 'example.org', 'example.net', 'mail.example', 'post.example'];

export function address(random: Random, region: Region): Address {
  const [city, prefix] = random.pick(region.cities);
  const street = random.pick(streets[region.language]);
  const house = random.int(1, 180);
  const digits = region.country === 'NL' || region.country === 'AT' ? 4 : 5;
  const rest = digits - prefix.length;
  const number = String(random.int(0, 10 ** rest - 1)).padStart(rest, '0');
  const letters =
    region.country === 'NL'
      ? ` ${'ABCDEFGHJKLMNPRSTVWXZ'[house % 21]}${'ABCDEFGHJKLMNPRSTVWXZ'[(house * 7) % 21]}`
      : '';
  return {
    street: region.country === 'US' || region.country === 'FR' ? `${house} ${street}` : `${street} ${house}`,
    city,
    region: region.code,
    postalCode: `${prefix}${number}${letters}`,
    country: region.country,
  };
}

export interface Company {
  readonly name: string;
  readonly industry: string;
  readonly domain: string;
}

export function company(random: Random, region: Region, unique: number): Company {
  const industry = random.pick(INDUSTRIES);
  const word = `${random.pick(COMPANY_WORDS)} ${random.pick(COMPANY_KINDS[industry]!)}`;
  const [city] = random.pick(region.cities);
  return {
    name: `${word} ${city} ${LEGAL[region.country]}`,
    industry,
    domain: `${ascii(word).replaceAll(' ', '-')}-${unique}.example`,
  };
}

export const job = (random: Random): string => random.pick(JOBS);

function phone(random: Random, country: string): string {
  const two = (): string => String(random.int(0, 99)).padStart(2, '0');
  switch (country) {
    case 'DE':
      return `+49 30 23125 ${String(random.int(0, 999)).padStart(3, '0')}`;
    case 'FR':
      return `+33 1 99 00 ${two()} ${two()}`;
    case 'US':
      return `+1 ${random.pick(['206', '303', '415', '512', '802', '971', '212'])}-555-01${two()}`;
    default:
      return `+${{ NL: '31 20', AT: '43 1', ES: '34 91', IT: '39 02' }[country]} 555 01 ${two()}`;
  }
}

const ascii = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll('ß', 'ss')
    .normalize('NFD')
    .replace(/[^a-z0-9 ]/g, '');
