/** Tickets for WebSockets: browsers cannot send a header with an upgrade, and a secret in a URL ends up in logs. */
import { z } from 'zod';
import { ticketPurposes } from '../live.ts';
import { id, instant } from './parts.ts';
import { defineRoute } from './route.ts';

/** What a ticket is about beside its purpose: a job and what is wanted of it. */
const about = z.strictObject({
  jobId: id('job').optional(),
  attempt: z.int().min(1).max(1_000_000).optional(),
  rank: z.int().min(0).max(4096).optional(),
  port: z.int().min(1).max(65_535).optional(),
  command: z
    .array(
      z
        .string()
        .max(4096)
        .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must not contain NUL or half characters'),
    )
    .max(64)
    .optional(),
});

export type TicketAbout = z.output<typeof about>;

export const liveRoutes = {
  createLiveTicket: defineRoute('createLiveTicket', {
    summary: 'Make a ticket that opens one WebSocket, once, within a minute',
    access: { role: 'viewer' },
    body: z.strictObject({
      purpose: z
        .enum(ticketPurposes)
        .default('live')
        .describe('`live` opens /v1/live; `exec` and `forward` need role `member`.'),
      about: about.optional().describe('What the socket is for; whoever takes the ticket holds to it.'),
    }),
    status: 201,
    answer: 'json',
    response: z.object({
      ticket: z
        .string()
        .describe('Offer it in Sec-WebSocket-Protocol, after `solyx.ticket.`; never put it into a URL.'),
      protocol: z.string().describe('Offer this beside it; the server answers with it.'),
      purpose: z.enum(ticketPurposes),
      expiresAt: instant,
    }),
    errors: ['forbidden'],
  }),
};
