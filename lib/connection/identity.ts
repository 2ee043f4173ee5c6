/**
 * Whose a connection is.
 * @publicApi
 */
export interface Identity {
  /** The id of the user, for `Broadcaster.toUser()`: a text of 1 to 200 characters. */
  readonly user?: string | undefined;
  /**
   * The app's own id of a client, such as a browser tab, for the option `except` of `emit()`: a
   * text of 1 to 200 characters.
   */
  readonly client?: string | undefined;
}
