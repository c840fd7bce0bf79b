/** Gantry's own: `GET /gantry/containers/{id}/trace?to=db:5432&protocol=tcp`. */
export interface TraceResponse {
  From: string;
  To: string;
  /** In the order of the way; the first that does not pass is the last. */
  Steps: TraceStep[];
}

export interface TraceStep {
  /** `name`, `address`, `route`, `bridge`, `firewall`, `listener`, `connection` */
  Check: string;
  Passes: boolean;
  /** One sentence. */
  Said: string;
  Evidence: string[];
  /** Commands, perhaps with a comment behind `#`, or a sentence where no command mends it. */
  Mend: string[];
}
