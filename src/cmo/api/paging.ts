/**
 * Keyset paging: a cursor is the id of the last item of the page before, so a page costs the same however deep, and
 * rows that come or go meanwhile neither repeat nor hide others.
 */
import { SolyxError } from '../../common/errors/index.ts';
import { type IdKind, isId } from '../../common/ids.ts';

/** The id that a cursor stands for. @throws cursor_invalid */
export function cursorId(kind: IdKind, cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const id = Buffer.from(cursor, 'base64url').toString();
  if (!isId(kind, id)) throw new SolyxError('cursor_invalid');
  return id;
}

/** The number that a cursor stands for. @throws cursor_invalid */
export function cursorNumber(cursor: string | undefined): bigint | undefined {
  if (cursor === undefined) return undefined;
  const text = Buffer.from(cursor, 'base64url').toString();
  if (!/^\d{1,18}$/.test(text)) throw new SolyxError('cursor_invalid');
  return BigInt(text);
}

/** Makes a page of rows that were read with a limit of one more than the page holds. */
export function makePage<Row extends { id: string | bigint }, Item>(
  rows: readonly Row[],
  limit: number,
  toItem: (row: Row) => Item,
): { items: Item[]; nextCursor: string | null } {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return {
    items: rows.slice(0, limit).map(toItem),
    nextCursor: last ? Buffer.from(String(last.id)).toString('base64url') : null,
  };
}
