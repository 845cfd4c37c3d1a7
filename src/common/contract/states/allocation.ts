/** States of an allocation (contracts §1): it is released only when its attempt has ended for certain. */
export const allocationStates = ['reserved', 'held', 'released'] as const;
export type AllocationState = (typeof allocationStates)[number];
