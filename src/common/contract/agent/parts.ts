/** Wire forms that the frames of agent and gateway share. */
import { z } from 'zod';

/** Fencing token, a bigint as text. */
export const token = z.string().regex(/^\d{1,19}$/);
export const attemptId = z.string().max(64);
export const rank = z.int().min(0).max(4096);
/** A number ≥ 0 that survives JSON exactly. */
export const finite = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
export const short = z.string().max(512);
