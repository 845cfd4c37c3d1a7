/** Advance reservations: asked for, kept, read. */
export { bookedAmounts, bookNodes, cancelBooking } from './book.ts';
export { type BookingRow, getReservation, listReservations, readBookings } from './read.ts';
export {
  type NewReservation,
  type Reservation,
  ReservationConflict,
  type ReservationWish,
  type ReservedAmounts,
} from './reservation.ts';
export { keepReservations } from './upkeep.ts';
