import { describe, expect, it } from 'vitest';
import { moveBy } from '../../../../dashboard/src/ui/grid-keys.ts';

const size = { rows: 100, columns: 5, page: 10 };
const at = { row: 20, column: 2 };

describe('the keys of a grid', () => {
  it.each([
    ['ArrowDown', false, { row: 21, column: 2 }],
    ['ArrowUp', false, { row: 19, column: 2 }],
    ['ArrowLeft', false, { row: 20, column: 1 }],
    ['ArrowRight', false, { row: 20, column: 3 }],
    ['PageDown', false, { row: 30, column: 2 }],
    ['PageUp', false, { row: 10, column: 2 }],
    ['Home', false, { row: 20, column: 0 }],
    ['End', false, { row: 20, column: 4 }],
    ['Home', true, { row: 0, column: 0 }],
    ['End', true, { row: 99, column: 4 }],
  ])('%s (control: %s) goes to %o', (key, ctrl, place) => {
    expect(moveBy(key, ctrl, at, size)).toEqual(place);
  });

  it('stop at the edges, above at the header', () => {
    expect(moveBy('ArrowDown', false, { row: 99, column: 0 }, size)).toEqual({ row: 99, column: 0 });
    expect(moveBy('ArrowUp', false, { row: 0, column: 0 }, size)).toEqual({ row: -1, column: 0 });
    expect(moveBy('ArrowUp', false, { row: -1, column: 0 }, size)).toEqual({ row: -1, column: 0 });
    expect(moveBy('ArrowLeft', false, { row: 0, column: 0 }, size)).toEqual({ row: 0, column: 0 });
  });

  it('are no others, so that Tab and letters keep their meaning', () => {
    for (const key of ['Tab', 'Enter', ' ', 'a', 'Escape']) expect(moveBy(key, false, at, size)).toBeNull();
  });
});
