/** What cannot be imported; who reads the graph adds the node. */
export class Refusal extends Error {
  readonly remedy: string | undefined;

  constructor(message: string, remedy?: string) {
    super(message);
    this.remedy = remedy;
  }
}

export function refuse(message: string, remedy?: string): never {
  throw new Refusal(message, remedy);
}
