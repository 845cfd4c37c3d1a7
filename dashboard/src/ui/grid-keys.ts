/** The keyboard pattern of grids (ARIA APG): where a key moves the active cell. Pure, so that it can be tested as a table. */
export interface CellPlace {
  readonly row: number;
  readonly column: number;
}

export interface GridSize {
  readonly rows: number;
  readonly columns: number;
  /** Rows that a page key moves. */
  readonly page: number;
}

/**
 * The place after a key; null when the key is none of the grid's. Row −1 is the header.
 * @param ctrl whether Control (or Command) is held
 */
export function moveBy(key: string, ctrl: boolean, at: CellPlace, size: GridSize): CellPlace | null {
  const row = (wanted: number) => Math.max(-1, Math.min(size.rows - 1, wanted));
  const column = (wanted: number) => Math.max(0, Math.min(size.columns - 1, wanted));
  switch (key) {
    case 'ArrowDown':
      return { ...at, row: row(ctrl ? size.rows - 1 : at.row + 1) };
    case 'ArrowUp':
      return { ...at, row: row(ctrl ? 0 : at.row - 1) };
    case 'ArrowRight':
      return { ...at, column: column(at.column + 1) };
    case 'ArrowLeft':
      return { ...at, column: column(at.column - 1) };
    case 'PageDown':
      return { ...at, row: row(at.row + size.page) };
    case 'PageUp':
      return { ...at, row: row(Math.max(0, at.row - size.page)) };
    case 'Home':
      return ctrl ? { row: row(0), column: 0 } : { ...at, column: 0 };
    case 'End':
      return ctrl ? { row: row(size.rows - 1), column: size.columns - 1 } : { ...at, column: size.columns - 1 };
    default:
      return null;
  }
}
