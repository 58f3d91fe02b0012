mod limits;
mod seats;
mod simulation;
