/** Who is signed in, as the server says. */
import { useQuery } from '@tanstack/react-query';
import type { Role, Whoami } from '../api/contract.ts';
import { asProblem, type Problem } from '../api/problem.ts';
import { read } from '../api/queries.ts';

export const whoami = { ...read('GET /v1/whoami'), staleTime: 60_000 };

const order: readonly Role[] = ['viewer', 'member', 'admin'];

export interface Session {
  readonly me: Whoami | undefined;
  /** Set when the server says that nobody is signed in. */
  readonly signedOut: boolean;
  readonly problem: Problem | null;
  /** Whether she may do what needs this role; false while it is not known. */
  can(role: Role): boolean;
}

export function useSession(): Session {
  const { data, error } = useQuery(whoami);
  const problem = error && asProblem(error);
  const signedOut = problem?.status === 401;
  const me = signedOut ? undefined : data;
  return {
    me,
    signedOut,
    problem,
    can: (role) => me !== undefined && order.indexOf(me.role) >= order.indexOf(role),
  };
}
