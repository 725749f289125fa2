import { cumulate } from './random.ts';

/** A sales region: a country in Europe, a state in North America. */
export interface Region {
  readonly code: string;
  readonly country: string;
  readonly weight: number;
  /** Weight at the very beginning of the history, relative to `weight`: < 1 = a region that grew late. */
  readonly early: number;
  readonly taxPercent: number;
  /** Basket size and share of returns against the average. */
  readonly basket: number;
  readonly returns: number;
  /** Running sums of how often each of PAYMENT_METHODS is chosen. */
  readonly paymentSums: Float64Array;
  readonly location: number;
  readonly language: Language;
  readonly cities: readonly (readonly [city: string, postalPrefix: string])[];
}

export type Language = 'de' | 'fr' | 'nl' | 'es' | 'it' | 'en';

export const PAYMENT_METHODS = ['card', 'paypal', 'invoice', 'transfer', 'wallet'] as const;

const region = (
  code: string,
  country: string,
  language: Language,
  weight: number,
  early: number,
  taxPercent: number,
  basket: number,
  returns: number,
  location: number,
  payment: readonly number[],
  cities: Region['cities'],
): Region => ({
  code,
  country,
  language,
  weight,
  early,
  taxPercent,
  basket,
  returns,
  location,
  paymentSums: cumulate(payment),
  cities,
});

export const EUROPE: readonly Region[] = [
  region(
    'DE',
    'DE',
    'de',
    34,
    1.1,
    19,
    1.05,
    1.6,
    0,
    [22, 34, 30, 6, 8],
    [
      ['Berlin', '10'],
      ['Hamburg', '20'],
      ['München', '80'],
      ['Köln', '50'],
      ['Leipzig', '04'],
      ['Stuttgart', '70'],
    ],
  ),
  region(
    'FR',
    'FR',
    'fr',
    21,
    1,
    20,
    1,
    0.9,
    1,
    [62, 22, 4, 4, 8],
    [
      ['Paris', '75'],
      ['Lyon', '69'],
      ['Marseille', '13'],
      ['Bordeaux', '33'],
      ['Lille', '59'],
    ],
  ),
  region(
    'NL',
    'NL',
    'nl',
    13,
    1.2,
    21,
    0.95,
    1.1,
    0,
    [20, 16, 12, 40, 12],
    [
      ['Amsterdam', '10'],
      ['Rotterdam', '30'],
      ['Utrecht', '35'],
      ['Eindhoven', '56'],
    ],
  ),
  region(
    'AT',
    'AT',
    'de',
    8,
    1,
    20,
    1.1,
    1.3,
    0,
    [30, 28, 30, 6, 6],
    [
      ['Wien', '10'],
      ['Graz', '80'],
      ['Linz', '40'],
      ['Salzburg', '50'],
    ],
  ),
  region(
    'IT',
    'IT',
    'it',
    14,
    0.6,
    22,
    0.9,
    0.7,
    1,
    [44, 38, 2, 8, 8],
    [
      ['Milano', '20'],
      ['Roma', '00'],
      ['Torino', '10'],
      ['Bologna', '40'],
    ],
  ),
  region(
    'ES',
    'ES',
    'es',
    10,
    0.15,
    21,
    0.82,
    0.8,
    1,
    [58, 24, 2, 6, 10],
    [
      ['Madrid', '28'],
      ['Barcelona', '08'],
      ['Valencia', '46'],
      ['Sevilla', '41'],
    ],
  ),
];

const US_PAYMENT = [58, 18, 4, 2, 18];

const state = (
  code: string,
  weight: number,
  early: number,
  tax: number,
  basket: number,
  location: number,
  cities: Region['cities'],
): Region => region(code, 'US', 'en', weight, early, tax, basket, 1, location, US_PAYMENT, cities);

export const NORTH_AMERICA: readonly Region[] = [
  state('CA', 24, 1, 7.25, 1.05, 0, [
    ['San Diego', '921'],
    ['Sacramento', '958'],
    ['Oakland', '946'],
    ['Los Angeles', '900'],
  ]),
  state('WA', 14, 1.2, 6.5, 1.12, 0, [
    ['Seattle', '981'],
    ['Spokane', '992'],
    ['Tacoma', '984'],
  ]),
  state('OR', 9, 1.2, 0, 1.08, 0, [
    ['Portland', '972'],
    ['Bend', '977'],
    ['Eugene', '974'],
  ]),
  state('CO', 15, 1.1, 2.9, 1.2, 1, [
    ['Denver', '802'],
    ['Boulder', '803'],
    ['Durango', '813'],
  ]),
  state('TX', 16, 0.3, 6.25, 0.92, 1, [
    ['Austin', '787'],
    ['Dallas', '752'],
    ['Houston', '770'],
  ]),
  state('NY', 14, 0.8, 4, 1, 2, [
    ['New York', '100'],
    ['Buffalo', '142'],
    ['Albany', '122'],
  ]),
  state('VT', 8, 0.9, 6, 1.1, 2, [
    ['Burlington', '054'],
    ['Stowe', '056'],
    ['Rutland', '057'],
  ]),
];
