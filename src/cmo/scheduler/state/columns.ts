/** Typed columns that grow together by doubling. A view is handed out as `Snapshot` columns. */
type Column = Float64Array | Int32Array | Uint8Array;

/** Makes a column with room for `size` rows and the old content. */
function grown<T extends Column>(column: T, size: number): T {
  const result = new (column.constructor as new (length: number) => T)(size);
  result.set(column);
  return result;
}

export function siteColumns() {
  return {
    deviceUsdPerHour: new Float64Array(8),
    cpuUsdPerHour: new Float64Array(8),
    memoryUsdPerHour: new Float64Array(8),
    pue: new Float64Array(8),
  };
}

export function nodeColumns() {
  return {
    site: new Int32Array(64),
    flags: new Uint8Array(64),
    isolation: new Uint8Array(64),
    labelSet: new Int32Array(64),
    pod: new Int32Array(64),
    rack: new Int32Array(64),
    island: new Int32Array(64),
    cpuMilli: new Float64Array(64),
    memoryBytes: new Float64Array(64),
    diskBytes: new Float64Array(64),
    cpuMilliFree: new Float64Array(64),
    memoryBytesFree: new Float64Array(64),
    diskBytesFree: new Float64Array(64),
    deviceStart: new Int32Array(64),
    deviceCount: new Int32Array(64),
  };
}

export function deviceColumns() {
  return {
    kind: new Uint8Array(64),
    model: new Int32Array(64),
    driver: new Int32Array(64),
    memoryBytes: new Float64Array(64),
    milli: new Int32Array(64),
    milliFree: new Int32Array(64),
    healthy: new Uint8Array(64),
  };
}

/** Makes room for `rows` rows in every column, at least doubling what there is. */
export function growColumns(columns: Record<string, Column>, rows: number): void {
  for (const [name, column] of Object.entries(columns)) {
    if (column.length < rows) columns[name] = grown(column, Math.max(rows, column.length * 2));
  }
}
