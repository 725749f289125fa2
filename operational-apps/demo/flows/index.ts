import { payBill } from './books.ts';
import { callBack, logCall, sendText, workRecording } from './calling.ts';
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
import { answerTicket, closeTicket, goOnWithTicket, openTicket } from './helping.ts';
import { changeSubscription, react, sendMailing } from './mailing.ts';
import { placeOrder } from './ordering.ts';
import { beActive, changeCustomer, newLead, tidyUp, workDeal, workLead } from './selling.ts';
import { keepCalendar, moveTask, startProject, writeDocument } from './working.ts';

export { readShops, type ShopFacts } from './shops.ts';

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
  openTicket: [3, openTicket],
  answerTicket: [4, answerTicket],
  goOnWithTicket: [4, goOnWithTicket],
  closeTicket: [2.5, closeTicket],
  logCall: [4, logCall],
  workRecording: [2, workRecording],
  callBack: [0.5, callBack],
  sendText: [4, sendText],
  moveTask: [5, moveTask],
  startProject: [0.3, startProject],
  writeDocument: [2, writeDocument],
  keepCalendar: [2, keepCalendar],
  sendMailing: [0.6, sendMailing],
  react: [5, react],
  changeSubscription: [1, changeSubscription],
  newLead: [3, newLead],
  workLead: [6, workLead],
  workDeal: [4, workDeal],
  beActive: [6, beActive],
  changeCustomer: [6, changeCustomer],
  tidyUp: [1, tidyUp],
};
