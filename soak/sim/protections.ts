/**
 * What keeps capacity and jobs from being given twice, as switches: a soak that stays green without one of them would prove nothing.
 * All are on but in the tests that take one out.
 */
export const protections = {
  commitCheck: 'a commit looks at the counters again, under locks',
  revisionCheck: 'a commit takes only jobs that are still queued at the planned revision',
  heldStays: 'what a node reports takes away nothing that is held',
  certainEnd: 'capacity is released only when the attempt has ended for certain',
  withdraw: 'a start that was not delivered is taken back with the end of its attempt',
  selfFence: 'a supervisor without contact ends its work by itself',
  neverStarted: 'what was told to stop before its start came cannot start any more',
  effectFence: 'a write under an older token than the newest is refused',
  forwardOnly: 'a rank only moves forwards, whatever is reported late',
  releaseOnEnd: 'the end of an attempt gives back what it held',
  fairShare: 'tenants share the fleet, whoever submits most',
} as const;

export type Protection = keyof typeof protections;
