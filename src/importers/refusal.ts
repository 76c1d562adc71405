/** What a sound file asks of us and cannot have. The reader adds the node; all of a file's are told at once. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly remedy: string | null;

  /**
   * @param message what was found and what would have to be there
   * @param remedy what to do, where something better is known than to change the network
   */
  constructor(message: string, remedy: string | null = null) {
    super(message);
    this.remedy = remedy;
  }
}

export function refuse(message: string, remedy: string | null = null): never {
  throw new Refusal(message, remedy);
}
