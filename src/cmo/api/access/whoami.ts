/** A principal in its wire form. */
import type { z } from 'zod';
import type { Routes } from '../../../common/contract/routes/index.ts';
import type { Principal } from '../../../common/http/index.ts';

export function toWhoami(principal: Principal): z.output<Routes['whoami']['response']> {
  const { keyId, role, operator, tenant, project, user, session } = principal;
  return { keyId, role, operator, tenant, project, user, session: session ?? null };
}
