/** Gantry's own: `GET /gantry/containers/{id}/why?port=80&resolve=db&reach=db:5432`. */
export interface WhyResponse {
  Name: string;
  Status: string;
  /** Problems before notes. */
  Findings: WhyFinding[];
  /** What was looked at, for people. */
  Checked: string[];
}

export interface WhyFinding {
  Check: string;
  /** `note`: perhaps it is meant to be so. */
  Severity: 'problem' | 'note';
  /** One sentence. */
  Title: string;
  Evidence: string[];
  /** Commands, perhaps with a comment behind `#`, or a sentence where no command mends it. */
  Mend: string[];
}
