/** Tells "no such route" from "not with this method": the router alone answers both with 404. */
export class RouteShapes {
  readonly #shapes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];

  /** Remembers a route; `url` has `:name` parameters and may end in `*`. */
  add(url: string, method: string | readonly string[]): void {
    // What catches every path says nothing of any.
    if (url === '/*') return;
    const source = url
      .split('/')
      .map((part) =>
        part.startsWith(':') ? '[^/]+' : part === '*' ? '.*' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
      )
      .join('/');
    this.#shapes.push({ pattern: new RegExp(`^${source}$`), methods: typeof method === 'string' ? [method] : method });
  }

  /** Methods of the routes that a path matches, sorted. */
  methods(path: string): string[] {
    const found = this.#shapes.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods);
    return [...new Set(found)].sort();
  }
}

/** Methods that a request's URL could be asked with; empty when there is no such path. */
export function methodsOf(shapes: RouteShapes, url: string): string[] {
  return shapes.methods(url.split('?', 1)[0]!);
}
