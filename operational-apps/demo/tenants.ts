import { EUROPE, NORTH_AMERICA, type Region } from './places.ts';

export interface ProductLine {
  readonly collection: string;
  readonly items: readonly string[];
  /** Median list price, in the tenant's currency. */
  readonly price: number;
  /** Demand by month, January first, against 1. */
  readonly months: readonly number[];
  readonly returns: number;
  readonly sizes: readonly string[];
}

export interface CampaignPlan {
  readonly code: string;
  readonly name: string;
  readonly medium: string;
  /** First day as month and day; black week is found by the calendar. */
  readonly start: readonly [month: number, day: number] | 'black-week';
  readonly days: number;
  /** Orders while it runs, against a day without it. */
  readonly lift: number;
  /** Share of the orders it is given credit for. */
  readonly share: number;
  readonly percent: number;
}

export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly currency: string;
  readonly locale: string;
  /** Share of all orders. */
  readonly share: number;
  readonly regions: readonly Region[];
  /** Orders by weekday, Sunday first. */
  readonly week: readonly number[];
  readonly months: readonly number[];
  /** Daily orders at the end of the two years against their beginning. */
  readonly growth: number;
  readonly utcOffset: number;
  readonly brands: readonly string[];
  readonly colors: readonly string[];
  readonly lines: readonly ProductLine[];
  readonly campaigns: readonly CampaignPlan[];
  readonly locations: readonly {
    code: string;
    name: string;
    city: string;
    postalCode: string;
    country: string;
    street: string;
    region: string;
  }[];
  readonly carriers: readonly string[];
  readonly freeShippingFrom: number;
  readonly shipping: number;
}

const FLAT = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
const SUMMER = [0.4, 0.5, 0.9, 1.3, 1.8, 2, 1.9, 1.5, 0.9, 0.6, 0.5, 0.6];
const WINTER = [1.7, 1.4, 0.9, 0.6, 0.4, 0.4, 0.4, 0.5, 0.9, 1.3, 1.8, 2.1];
const GIFTS = [0.7, 0.9, 0.9, 0.9, 1.1, 0.8, 0.8, 0.8, 0.9, 1, 1.5, 2.2];
const ONE = ['One size'];

export const TENANTS: readonly Tenant[] = [
  {
    id: 'aurora',
    name: 'Aurora Living',
    currency: 'EUR',
    locale: 'en-IE',
    share: 0.68,
    regions: EUROPE,
    week: [1.34, 1.02, 0.94, 0.93, 0.96, 0.9, 0.96],
    months: [0.98, 0.92, 0.96, 0.97, 0.98, 0.88, 0.82, 0.86, 1, 1.06, 1.28, 1.3],
    growth: 1.9,
    utcOffset: 1,
    brands: ['Aurora', 'Lumi', 'Nordhaus', 'Atelier Brun', 'Casa Verde', 'Hygge & Co', 'Morgenrot'],
    colors: ['Sand', 'Charcoal', 'Moss', 'Ocean', 'Terracotta', 'Ivory'],
    lines: [
      {
        collection: 'Lighting',
        items: ['Pendant lamp', 'Floor lamp', 'Table lamp', 'Wall light', 'Lantern', 'Clip lamp'],
        price: 89,
        months: WINTER.map((x) => 0.6 + x * 0.4),
        returns: 0.9,
        sizes: ['S', 'M', 'L'],
      },
      {
        collection: 'Textiles',
        items: [
          'Wool throw',
          'Linen duvet set',
          'Cushion cover',
          'Curtain pair',
          'Bath towel set',
          'Jute rug',
          'Kitchen towel',
        ],
        price: 42,
        months: FLAT,
        returns: 1.3,
        sizes: ['S', 'M', 'L'],
      },
      {
        collection: 'Tableware',
        items: [
          'Stoneware plate set',
          'Carafe',
          'Serving bowl',
          'Espresso cups',
          'Cutlery set',
          'Cutting board',
          'Salad servers',
        ],
        price: 34,
        months: GIFTS,
        returns: 0.6,
        sizes: ONE,
      },
      {
        collection: 'Furniture',
        items: [
          'Oak side table',
          'Lounge chair',
          'Bookshelf',
          'Dining bench',
          'Writing desk',
          'Sideboard',
          'Bar stool',
        ],
        price: 240,
        months: FLAT,
        returns: 0.8,
        sizes: ONE,
      },
      {
        collection: 'Garden',
        items: ['Planter', 'Garden chair', 'Parasol', 'Fire bowl', 'Watering can', 'Hammock', 'Outdoor rug'],
        price: 68,
        months: SUMMER,
        returns: 0.7,
        sizes: ['S', 'L'],
      },
      {
        collection: 'Kitchen',
        items: [
          'Cast-iron pan',
          'Chef knife',
          'Coffee grinder',
          'Storage jars',
          'Apron',
          'Pepper mill',
          'Kettle',
        ],
        price: 52,
        months: GIFTS.map((x) => 0.5 + x * 0.5),
        returns: 0.7,
        sizes: ONE,
      },
      {
        collection: 'Decor',
        items: [
          'Vase',
          'Wall mirror',
          'Candle holder',
          'Picture frame',
          'Wall clock',
          'Scented candle',
          'Paper star',
        ],
        price: 29,
        months: GIFTS,
        returns: 0.8,
        sizes: ['S', 'M', 'L'],
      },
    ],
    campaigns: [
      {
        code: 'BLACK',
        name: 'Black Week',
        medium: 'mixed',
        start: 'black-week',
        days: 8,
        lift: 2.9,
        share: 0.6,
        percent: 25,
      },
      {
        code: 'SPRING',
        name: 'Spring refresh',
        medium: 'social',
        start: [3, 20],
        days: 14,
        lift: 1.45,
        share: 0.35,
        percent: 15,
      },
      {
        code: 'SUMMERSALE',
        name: 'Summer sale',
        medium: 'email',
        start: [7, 1],
        days: 18,
        lift: 1.35,
        share: 0.4,
        percent: 20,
      },
      {
        code: 'COSY',
        name: 'Cosy autumn',
        medium: 'search',
        start: [10, 5],
        days: 12,
        lift: 1.2,
        share: 0.25,
        percent: 10,
      },
    ],
    locations: [
      {
        code: 'LEJ',
        name: 'Leipzig warehouse',
        street: 'Messe-Allee 12',
        city: 'Leipzig',
        postalCode: '04356',
        region: 'DE',
        country: 'DE',
      },
      {
        code: 'LYS',
        name: 'Lyon warehouse',
        street: '40 Rue du Fret',
        city: 'Lyon',
        postalCode: '69125',
        region: 'FR',
        country: 'FR',
      },
    ],
    carriers: ['Nordpost', 'PaketPlus', 'Vitesse Express'],
    freeShippingFrom: 9900,
    shipping: 590,
  },
  {
    id: 'kestrel',
    name: 'Kestrel Outfitters',
    currency: 'USD',
    locale: 'en-US',
    share: 0.32,
    regions: NORTH_AMERICA,
    week: [1.2, 0.86, 0.84, 0.88, 0.96, 1.06, 1.2],
    months: [0.8, 0.82, 0.95, 1.08, 1.22, 1.18, 1.1, 1.02, 0.9, 0.86, 1.12, 1.3],
    growth: 2.8,
    utcOffset: -7,
    brands: ['Kestrel', 'Ridgeline', 'Fjellby', 'Granite Peak', 'Tamarack', 'Blue Heron'],
    colors: ['Slate', 'Pine', 'Rust', 'Navy', 'Sun', 'Graphite'],
    lines: [
      {
        collection: 'Tents',
        items: ['Ultralight tent', 'Family tent', 'Tarp', 'Bivvy', 'Tent footprint'],
        price: 260,
        months: SUMMER,
        returns: 0.8,
        sizes: ['1P', '2P', '4P'],
      },
      {
        collection: 'Packs',
        items: ['Day pack', 'Trekking pack', 'Duffel', 'Hydration vest', 'Dry bag'],
        price: 118,
        months: SUMMER.map((x) => 0.5 + x * 0.5),
        returns: 0.9,
        sizes: ['20L', '35L', '60L'],
      },
      {
        collection: 'Footwear',
        items: ['Hiking boot', 'Trail runner', 'Approach shoe', 'Camp slipper', 'Gaiters'],
        price: 132,
        months: FLAT,
        returns: 2,
        sizes: ['7', '8', '9', '10', '11'],
      },
      {
        collection: 'Apparel',
        items: [
          'Rain shell',
          'Down jacket',
          'Merino base layer',
          'Fleece',
          'Hiking pants',
          'Sun hoodie',
          'Beanie',
        ],
        price: 96,
        months: WINTER.map((x) => 0.5 + x * 0.5),
        returns: 1.7,
        sizes: ['S', 'M', 'L', 'XL'],
      },
      {
        collection: 'Sleep',
        items: ['Sleeping bag', 'Air mattress', 'Camp pillow', 'Quilt', 'Foam pad'],
        price: 148,
        months: SUMMER,
        returns: 0.7,
        sizes: ['Regular', 'Long'],
      },
      {
        collection: 'Camp kitchen',
        items: ['Gas stove', 'Titanium pot', 'Camp mug', 'Water filter', 'Cooler', 'Spork set'],
        price: 44,
        months: SUMMER.map((x) => 0.4 + x * 0.6),
        returns: 0.5,
        sizes: ONE,
      },
      {
        collection: 'Climbing',
        items: ['Harness', 'Climbing rope', 'Quickdraw set', 'Helmet', 'Chalk bag'],
        price: 84,
        months: FLAT,
        returns: 0.6,
        sizes: ['S', 'M', 'L'],
      },
    ],
    campaigns: [
      {
        code: 'BLACKFRIDAY',
        name: 'Black Friday',
        medium: 'mixed',
        start: 'black-week',
        days: 8,
        lift: 3.3,
        share: 0.55,
        percent: 30,
      },
      {
        code: 'TRAILDAYS',
        name: 'Trail days',
        medium: 'social',
        start: [5, 10],
        days: 10,
        lift: 1.6,
        share: 0.4,
        percent: 20,
      },
      {
        code: 'GEARUP',
        name: 'Gear up',
        medium: 'email',
        start: [4, 1],
        days: 10,
        lift: 1.25,
        share: 0.3,
        percent: 10,
      },
      {
        code: 'LABORDAY',
        name: 'Labor Day sale',
        medium: 'search',
        start: [8, 30],
        days: 7,
        lift: 1.4,
        share: 0.35,
        percent: 15,
      },
    ],
    locations: [
      {
        code: 'RNO',
        name: 'Reno warehouse',
        street: '900 Depot Road',
        city: 'Reno',
        postalCode: '89506',
        region: 'NV',
        country: 'US',
      },
      {
        code: 'DFW',
        name: 'Dallas warehouse',
        street: '1200 Freight Drive',
        city: 'Dallas',
        postalCode: '75241',
        region: 'TX',
        country: 'US',
      },
      {
        code: 'EWR',
        name: 'Newark warehouse',
        street: '77 Port Street',
        city: 'Newark',
        postalCode: '07114',
        region: 'NJ',
        country: 'US',
      },
    ],
    carriers: ['Overland', 'Pony Parcel', 'SkyBridge'],
    freeShippingFrom: 7500,
    shipping: 695,
  },
];
