/**
 * Answers that were overtaken: asked for before a live change was put into the cache, given after it, and older than it. Put in its
 * place they would undo what the page showed already, and nothing would mend that until the next refresh.
 *
 * An answer to a question that was asked after the last change stands as it is, so that a database that was put back from a
 * backup, with revisions smaller than those seen, is shown as it is now.
 */
import type { QueryClient, QueryKey } from '@tanstack/react-query';

/** An entity as the API and the socket tell it. Revisions are decimal numbers as text, of any length. */
interface Revised {
  readonly id: string;
  readonly revision: string;
}

/** Whether `next` is not older than `held`. */
export function isCurrent(held: { readonly revision: string }, next: { readonly revision: string }): boolean {
  const longer = next.revision.length - held.revision.length;
  return longer > 0 || (longer === 0 && next.revision >= held.revision);
}

/** Asks, and keeps of what the cache got meanwhile whatever is newer than the answer. */
export async function notOvertaken<T>(
  { client, queryKey }: { readonly client: QueryClient; readonly queryKey: QueryKey },
  ask: () => Promise<T>,
): Promise<T> {
  const before = client.getQueryState(queryKey)?.dataUpdateCount ?? 0;
  const answer = await ask();
  const now = client.getQueryState(queryKey);
  return now === undefined || now.dataUpdateCount === before ? answer : newer(now.data, answer);
}

/**
 * The answer, with what is held in place of whatever is not newer than that: the live connection brings everything, so of two with
 * the same revision (a remark on why a job waits raises none) the held one is not the older.
 * @param held an entity, a page `{ items }` or several `{ pages }`
 * @param answer an entity or a page
 */
export function newer<T>(held: unknown, answer: T): T {
  const seen = new Map([...entitiesOf(held)].map((entity) => [entity.id, entity]));
  const keep = <E>(entity: E): E => {
    const known = isRevised(entity) ? seen.get(entity.id) : undefined;
    return known === undefined || !isCurrent(entity as Revised & E, known) ? entity : (known as E);
  };
  if (!isPage(answer)) return keep(answer);
  return { ...answer, items: answer.items.map(keep) };
}

function* entitiesOf(held: unknown): Generator<Revised> {
  if (isRevised(held)) yield held;
  else if (isPage(held)) for (const item of held.items) yield* entitiesOf(item);
  else if (hasPages(held)) for (const page of held.pages) yield* entitiesOf(page);
}

const isRevised = (value: unknown): value is Revised =>
  typeof (value as Revised | null)?.id === 'string' && typeof (value as Revised).revision === 'string';
const isPage = (value: unknown): value is { readonly items: readonly unknown[] } =>
  Array.isArray((value as { items?: unknown } | null)?.items);
const hasPages = (value: unknown): value is { readonly pages: readonly unknown[] } =>
  Array.isArray((value as { pages?: unknown } | null)?.pages);
