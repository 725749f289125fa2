export { dropPublication, ensurePublication, type Publication, publicationsOf } from './publication.ts';
export { publishedTables } from './published.ts';
export { dropSlot, ensureSlot, type Slot, type SlotStatus, slotNameOf, slotStatus } from './slot.ts';
