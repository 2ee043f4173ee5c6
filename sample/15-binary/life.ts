/** Rows of cells, on a torus. */
export type Cells = readonly (readonly boolean[])[];

/** Every third cell is alive, here and there. */
export function scatter(width: number, height: number): Cells {
  return Array.from({ length: height }, () =>
    Array.from({ length: width }, () => Math.random() < 1 / 3),
  );
}

/** Conway's Game of Life: with three neighbours a cell is alive, with two it stays as it is. */
export function nextGeneration(cells: Cells): Cells {
  return cells.map((row, y) =>
    row.map((isAlive, x) => {
      const count = neighbours(cells, x, y);
      return count === 3 || (isAlive && count === 2);
    }),
  );
}

function neighbours(cells: Cells, x: number, y: number): number {
  let count = isAliveAt(cells, x, y) ? -1 : 0;
  for (const dy of [-1, 0, 1]) {
    for (const dx of [-1, 0, 1]) if (isAliveAt(cells, x + dx, y + dy)) count += 1;
  }
  return count;
}

function isAliveAt(cells: Cells, x: number, y: number): boolean {
  return cells.at(y % cells.length)?.at(x % cells[0]!.length) ?? false;
}
