import { payBill } from './books.ts';
import type { Flow } from './context.ts';
import {
  cancelPaidOrder,
  deliverOrder,
  handleReturn,
  receivePayment,
  removeCancelledOrder,
  requestReturn,
  shipOrder,
  writeReview,
} from './fulfilment.ts';
import { placeOrder } from './ordering.ts';
import { beActive, changeCustomer, newLead, tidyUp, workDeal, workLead } from './selling.ts';

export { readShops, type ShopFacts } from './context.ts';

/** What happens in the business and how often, relative to each other. */
export const FLOWS: Readonly<Record<string, readonly [weight: number, flow: Flow]>> = {
  placeOrder: [30, placeOrder],
  receivePayment: [5, receivePayment],
  shipOrder: [25, shipOrder],
  deliverOrder: [24, deliverOrder],
  cancelPaidOrder: [0.5, cancelPaidOrder],
  requestReturn: [2.5, requestReturn],
  handleReturn: [5, handleReturn],
  removeCancelledOrder: [0.5, removeCancelledOrder],
  writeReview: [3, writeReview],
  payBill: [3, payBill],
  newLead: [3, newLead],
  workLead: [6, workLead],
  workDeal: [4, workDeal],
  beActive: [6, beActive],
  changeCustomer: [6, changeCustomer],
  tidyUp: [1, tidyUp],
};
